#!/usr/bin/env node
// The `millrace` command. Sets what must be set before anything else loads, then loads the rest.

// The pool's size is read when it is first used, and loading ES modules uses it: so before the first import.
// Enough threads that a slow sync never keeps a read waiting.
process.env["UV_THREADPOOL_SIZE"] ??= "8";

const { run } = await import("./run.js");
await run(process);

export {};
