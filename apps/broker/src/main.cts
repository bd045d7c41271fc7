#!/usr/bin/env node
// The bin. CommonJS, because an ES module is loaded through libuv's thread pool, whose size is read at its first use:
// so this file sets it and only then loads the program.

/** Storage keeps one thread free for reads beside its syncs; Node's own four leave too little. */
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// V8 counts the memory of network buffers as heap and lets the heap grow by little between two collections, because
// it is small: a broker under load marked its 12 MB again for every 18 MB received. This is the largest growth that
// V8 would choose by itself. (Each 64 MiB of buffers still cause a collection, so what waits for one has a bound.)
process.getBuiltinModule("node:v8").setFlagsFromString("--heap-growing-percent=300");

void import("./program.js").then(async ({ runProgram }) => {
  process.exit(await runProgram(process.argv));
});
