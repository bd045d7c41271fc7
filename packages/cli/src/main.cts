#!/usr/bin/env node
// The `millrace` command. Sets what must be set before anything else loads, then loads the rest. CommonJS, because
// an ES module is loaded through the thread pool, whose size is read when it is first used.

// Enough threads that a slow sync never keeps a read waiting.
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// V8 counts the memory of network buffers as heap and lets the heap grow by little between two collections, because
// it is small. With 1.5 times what a collection left there are few of them; more than that costs memory where the heap
// is not small (thousands of partitions or connections) and saves no time since the memory of messages is used again.
// (Each 64 MiB of buffers still cause a collection, so what waits for one has a bound.)
process.getBuiltinModule("node:v8").setFlagsFromString("--heap-growing-percent=150");

void import("./run.js").then(({ run }) => run(process));
