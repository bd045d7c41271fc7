#!/usr/bin/env node
// The `millrace` command. Sets what must be set before anything else loads, then loads the rest.

import { setFlagsFromString } from "node:v8";

// The pool's size is read when it is first used, and loading ES modules uses it: so before the first import.
// Enough threads that a slow sync never keeps a read waiting.
process.env["UV_THREADPOOL_SIZE"] ??= "8";

// V8 counts the memory of network buffers as heap and lets the heap grow by little between two collections, because
// it is small: a broker under load marked its 12 MB again for every 18 MB received. This is the largest growth that
// V8 would choose by itself. (Each 64 MiB of buffers still cause a collection, so what waits for one has a bound.)
setFlagsFromString("--heap-growing-percent=300");

const { run } = await import("./run.js");
await run(process);
