#!/usr/bin/env node
// The bin. CommonJS, because an ES module is loaded through libuv's thread pool, whose size is read at its first use:
// so this file sets it and only then loads the program.

/** Storage keeps one thread free for reads beside its syncs; Node's own four leave too little. */
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// V8 counts the memory of network buffers as heap and lets the heap grow by little between two collections, because
// it is small. With 1.5 times what a collection left there are few of them; more than that costs memory where the heap
// is not small (thousands of partitions or connections) and saves no time since the memory of messages is used again.
// (Each 64 MiB of buffers still cause a collection, so what waits for one has a bound.)
process.getBuiltinModule("node:v8").setFlagsFromString("--heap-growing-percent=150");

void import("./program.js").then(async ({ runProgram }) => {
  process.exit(await runProgram(process.argv));
});
