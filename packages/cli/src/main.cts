#!/usr/bin/env node
// The `millrace` command. Sets what must be set before anything else loads, then loads the rest. CommonJS, because
// an ES module is loaded through the thread pool, whose size is read when it is first used.

// Enough threads that a slow sync never keeps a read waiting.
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// V8 counts the memory of network buffers as heap and lets the heap grow by little between two collections, because
// it is small: a broker under load marked its 12 MB again for every 18 MB received. This is the largest growth that
// V8 would choose by itself. (Each 64 MiB of buffers still cause a collection, so what waits for one has a bound.)
process.getBuiltinModule("node:v8").setFlagsFromString("--heap-growing-percent=300");

void import("./run.js").then(({ run }) => run(process));
