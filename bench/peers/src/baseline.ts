// What the machine does without any of the peers, measured in every round: the disk by itself (write and `fdatasync`,
// one file), and a bare `ws` echo between two processes. Ratios are taken against these.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { builtDirectory } from "./places.js";
import { type LatencySummary, round, summarise } from "./statistics.js";
import { closedLoop, Samples } from "./worker/closed-loop.js";

const MIB = 1024 * 1024;
const ECHO_BYTES = 100;
const ECHO_WIDTH = 1_000;

export interface Baseline {
  /** Of one minute, before the measurement: on a quiet machine near zero. */
  readonly loadAverage: number;
  /** 1 MiB writes, each followed by `fdatasync`: 10^6 bytes a second. */
  readonly diskMegabytesPerSecond: number;
  /** Time of a 1 KiB write and `fdatasync`. */
  readonly syncMs: LatencySummary;
  /** Round trips of 100 B, one at a time. */
  readonly echoMs: LatencySummary;
  readonly echoPerSecond: number;
  /** With 1,000 on their way. */
  readonly echoPipelinedPerSecond: number;
}

/** Appends of `bytes` with `fdatasync` for `seconds`; milliseconds of each. */
function appendAndSync(directory: string, bytes: number, seconds: number): Samples {
  const path = join(directory, `disk-baseline-${process.pid}`);
  const file = openSync(path, "w");
  const block = new Uint8Array(bytes).map((_, index) => (index * 31) & 0xff);
  const samples = new Samples();
  const end = performance.now() + seconds * 1000;
  try {
    for (let before = performance.now(); before < end; ) {
      writeSync(file, block, 0, bytes, null);
      fdatasyncSync(file);
      const after = performance.now();
      samples.add(after - before);
      before = after;
    }
    ftruncateSync(file, 0);
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
  return samples;
}

export function diskMegabytesPerSecond(directory: string, seconds: number): number {
  const { values } = appendAndSync(directory, MIB, seconds);
  const elapsedMs = values.reduce((sum, value) => sum + value, 0);
  return round((values.length * MIB) / 1e6 / (elapsedMs / 1000), 1);
}

function portOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the echo server did not start")), 10_000);
    child.once("exit", () => reject(new Error("the echo server ended")));
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).once("line", (line) => {
        clearTimeout(timer);
        resolve(line);
      });
    }
  });
}

async function echoes(
  seconds: number,
): Promise<Pick<Baseline, "echoMs" | "echoPerSecond" | "echoPipelinedPerSecond">> {
  const child = spawn(process.execPath, [join(builtDirectory, "echo-server.js")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const socket = new WebSocket(`ws://127.0.0.1:${await portOf(child)}`, {
      perMessageDeflate: false,
    });
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const waiting: (() => void)[] = [];
    socket.on("message", () => waiting.shift()?.());
    const message = Buffer.alloc(ECHO_BYTES, 0x5a);
    const roundTrip = (): Promise<void> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.send(message);
      });
    await closedLoop(roundTrip, { width: 1, seconds: seconds / 2 });
    const samples = new Samples();
    const single = await closedLoop(roundTrip, { width: 1, seconds, samples });
    const many = await closedLoop(roundTrip, { width: ECHO_WIDTH, seconds });
    socket.terminate();
    return {
      echoMs: summarise(samples.values) as LatencySummary,
      echoPerSecond: Math.round(single / seconds),
      echoPipelinedPerSecond: Math.round(many / seconds),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

export async function measureBaseline(directory: string, seconds: number): Promise<Baseline> {
  const [loadAverage = 0] = loadavg();
  const disk = diskMegabytesPerSecond(directory, seconds);
  const syncs = appendAndSync(directory, 1024, seconds);
  return {
    loadAverage: round(loadAverage, 2),
    diskMegabytesPerSecond: disk,
    syncMs: summarise(syncs.values) as LatencySummary,
    ...(await echoes(seconds)),
  };
}
