// How long a start takes behind a crash: fills one log (10 GB of 1 KiB records in 1 MiB batches unless told otherwise),
// kills the writer while it writes, and times the next starts: after the kill, after a clean stop, and after a clean stop
// with every hint deleted. Each start is a process of its own, with the page cache dropped first where that is allowed.
// Run: node dist/recovery.js [directory] [gigabytes]

import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RecordBatchBuilder } from "@millrace/protocol";
import { createNodeRuntime } from "@millrace/runtime/node";
import { LogManager, parseLogConfig } from "@millrace/storage";

const BATCH_BYTES = 1024 * 1024;
const RECORD_BYTES = 1024;
const IN_FLIGHT = 8;
const GIGABYTE = 1e9;
const HINT_SUFFIXES = [".index", ".timeindex", ".index-state"];

interface StartFigures {
  readonly seconds: number;
  readonly readBytes: number;
  readonly verifiedBytes: number;
  readonly peakRssBytes: number;
  readonly logEndOffset: number;
}

type Message =
  | { readonly kind: "written"; readonly bytes: number; readonly offset: number }
  | { readonly kind: "started"; readonly figures: StartFigures };

function tell(message: Message): void {
  process.send?.(message);
}

function oneBatch(crc32c: (bytes: Uint8Array, seed?: number) => number): Uint8Array {
  const builder = new RecordBatchBuilder({ initialBytes: BATCH_BYTES });
  const value = new Uint8Array(RECORD_BYTES).fill(120);
  while (builder.sizeBytes + RECORD_BYTES + 64 < BATCH_BYTES) {
    builder.append({ key: null, value, timestamp: 1 });
  }
  return builder.build({ compute: { crc32c } }).slice();
}

/** Writes until it is killed; says how much is flushed. */
async function write(path: string): Promise<never> {
  const runtime = createNodeRuntime();
  const manager = await LogManager.open({ runtime, path, nodeId: 1 });
  const id = { topic: "bench", topicId: randomUUID(), partition: 0 };
  const log = await manager.createLog(id, parseLogConfig());
  const template = oneBatch(runtime.compute.crc32c);
  const flushing: Promise<boolean>[] = [];
  for (let bytes = 0; ; bytes += template.length) {
    const outcome = log.append(template.slice(), { leaderEpoch: 0 });
    if (!outcome.ok) {
      throw new Error(outcome.message);
    }
    flushing.push(log.whenFlushed(outcome.lastOffset));
    if (flushing.length >= IN_FLIGHT) {
      await flushing.shift();
      tell({ kind: "written", bytes, offset: log.flushedOffset });
    }
  }
}

/** What the process read, page cache included; Linux only, else 0. */
function bytesRead(): number {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function start(path: string): Promise<void> {
  const runtime = createNodeRuntime();
  const readBefore = bytesRead();
  const startedAt = performance.now();
  let verifiedBytes = 0;
  const manager = await LogManager.open({
    runtime,
    path,
    nodeId: 1,
    onProgress: ({ report }) => {
      verifiedBytes += report.verifiedBytes;
    },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const readBytes = bytesRead() - readBefore;
  const log = manager.getLog("bench", 0);
  if (log?.state !== "online") {
    throw new Error(`the log is ${log?.state ?? "gone"}: ${log?.damage ?? ""}`);
  }
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const { logEndOffset } = log;
  tell({
    kind: "started",
    figures: { seconds, readBytes, verifiedBytes, peakRssBytes, logEndOffset },
  });
  await manager.close();
}

function child(mode: "write" | "start", path: string): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [mode, path], { stdio: "inherit" });
}

/** Resolves with the flushed end when the writer was killed. */
async function writeAndKill(path: string, wantedBytes: number): Promise<number> {
  const writer = child("write", path);
  const exited = once(writer, "exit");
  let offset = 0;
  writer.on("message", (message: Message) => {
    if (message.kind === "written") {
      offset = message.offset;
      if (message.bytes >= wantedBytes) {
        writer.kill("SIGKILL");
      }
    }
  });
  await exited;
  return offset;
}

async function measureStart(path: string): Promise<StartFigures> {
  const isCold = dropPageCache();
  const starter = child("start", path);
  const exited = once(starter, "exit");
  const [message] = (await once(starter, "message")) as [Message];
  await exited;
  if (message.kind !== "started") {
    throw new Error("the start said something else");
  }
  if (!isCold) {
    console.log("  (the page cache could not be dropped: these reads are warm)");
  }
  return message.figures;
}

function dropPageCache(): boolean {
  try {
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    return true;
  } catch {
    return false;
  }
}

function print(name: string, figures: StartFigures): void {
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  console.log(
    `${name.padEnd(34)} ${figures.seconds.toFixed(3)} s, read ${mebibytes(figures.readBytes)}, ` +
      `verified ${mebibytes(figures.verifiedBytes)}, peak RSS ${mebibytes(figures.peakRssBytes)}`,
  );
}

async function main(parent: string, gigabytes: number): Promise<void> {
  const path = await mkdtemp(join(parent, "millrace-recovery-"));
  try {
    const beganAt = performance.now();
    const flushed = await writeAndKill(path, gigabytes * GIGABYTE);
    const seconds = (performance.now() - beganAt) / 1000;
    console.log(
      `${gigabytes} GB written and synced in ${seconds.toFixed(1)} s, then killed with ${flushed} records flushed`,
    );
    const afterKill = await measureStart(path);
    if (afterKill.logEndOffset < flushed) {
      throw new Error(`${flushed} records were flushed, ${afterKill.logEndOffset} are there`);
    }
    print("start after kill -9", afterKill);
    print("start after a clean stop", await measureStart(path));
    const log = join(path, "bench-0");
    for (const name of await readdir(log)) {
      if (HINT_SUFFIXES.some((suffix) => name.endsWith(suffix))) {
        await rm(join(log, name));
      }
    }
    print("clean stop, every hint deleted", await measureStart(path));
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

const [mode, place] = process.argv.slice(2);
if (process.send !== undefined && mode === "write") {
  await write(place ?? "");
} else if (process.send !== undefined && mode === "start") {
  await start(place ?? "");
} else {
  await main(mode ?? tmpdir(), Number(place ?? 10));
}
