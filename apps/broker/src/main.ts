#!/usr/bin/env node
// The bin. The size of libuv's thread pool is read at its first use, which imports already cause: so this file
// sets it and only then loads the program.

/** Storage keeps one thread free for reads beside its syncs; Node's own four leave too little. */
process.env["UV_THREADPOOL_SIZE"] ??= "8";

const { runProgram } = await import("./program.js");
process.exit(await runProgram(process.argv));
