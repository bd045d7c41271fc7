// node bench/dist/partitions.js [--json] [--seconds S] [--rounds N] [--mb-per-second M] [--partitions 1,10,100,1000]
//   [--modes broker,broker-single,storage,storage-alone] [--dir DIRECTORY]
//
// The same bytes per second over 1, 10, 100 and 1,000 partitions: CPU per MB and how long an acknowledgement takes. Through a real
// broker with a real producer; through the storage engine alone, one batch per record; and through the engine with each
// log syncing for itself (`storage-alone`: no commit journal). Beside each the raw disk: 1 KiB appended and `fdatasync`ed,
// one at a time. Rounds take turns; medians are printed. The load is partitions-load.ts.

import { spawn } from "node:child_process";
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import type { LoadOptions, LoadResult } from "./partitions-load.js";

type Mode = "broker" | "broker-single" | "storage" | "storage-alone";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "1" },
    "mb-per-second": { type: "string", default: "20" },
    partitions: { type: "string", default: "1,10,100,1000" },
    modes: { type: "string", default: "broker,storage,storage-alone" },
    dir: { type: "string", default: tmpdir() },
  },
});
const RAW_MS = 300;

interface Raw {
  readonly rawP50Ms: number;
  readonly rawP99Ms: number;
}

interface Row extends Raw {
  readonly mode: Mode;
  readonly partitions: number;
  readonly cpuMsPerMegabyte: number;
  /** Over the same mode's with the fewest partitions. */
  readonly cpuRatio: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly recordsPerBatch: number;
  readonly batchesPerRequest: number;
  readonly peakResidentMegabytes: number;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((left, right) => left - right)[numbers.length >> 1] ?? 0;
}

async function rawDisk(directory: string): Promise<Raw> {
  const path = join(directory, "raw");
  const file = openSync(path, "w");
  const chunk = new Uint8Array(1024).fill(120);
  const sync = promisify(fdatasync);
  const latencies: number[] = [];
  const end = performance.now() + RAW_MS;
  for (let start = performance.now(); start < end; start = performance.now()) {
    writeSync(file, chunk, 0, chunk.length, latencies.length * chunk.length);
    await sync(file);
    latencies.push(performance.now() - start);
  }
  closeSync(file);
  rmSync(path);
  latencies.sort((left, right) => left - right);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { rawP50Ms: at(0.5), rawP99Ms: at(0.99) };
}

/** The first line a child writes; rejects when it ends before. */
function start(script: string, parameters: readonly string[]) {
  const child = spawn(process.execPath, [script, ...parameters], {
    stdio: ["ignore", "pipe", "inherit"],
    // As the server's binary sets it.
    env: { ...process.env, UV_THREADPOOL_SIZE: "8" },
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) {
        resolve(text.split("\n")[0] ?? "");
      }
    });
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return { child, firstLine, ended };
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const script = fileURLToPath(new URL("./partitions-load.js", import.meta.url));
  const { firstLine, ended } = start(script, [JSON.stringify(options)]);
  const result = JSON.parse(await firstLine) as LoadResult;
  await ended;
  return result;
}

async function withBroker(directory: string, options: LoadOptions): Promise<LoadResult> {
  const cli = fileURLToPath(new URL("../../packages/cli/dist/main.cjs", import.meta.url));
  const flags = ["--port", "0", "--json", "--log-level", "error", "--data-dir", directory];
  const broker = start(cli, ["start", ...flags]);
  try {
    const { url } = JSON.parse(await broker.firstLine) as { url: string };
    return await load({ ...options, target: url, brokerPid: broker.child.pid ?? 0 });
  } finally {
    broker.child.kill("SIGTERM");
    await broker.ended;
  }
}

const isThroughBroker = (mode: Mode): boolean => mode === "broker" || mode === "broker-single";

async function runOnce(mode: Mode, partitions: number, scratch: string): Promise<LoadResult & Raw> {
  const target = mkdtempSync(join(scratch, "data-"));
  const options: LoadOptions = {
    mode: isThroughBroker(mode) ? "broker" : "storage",
    hasSingleRecords: mode === "broker-single",
    target,
    brokerPid: 0,
    partitions,
    megabytesPerSecond: Number(values["mb-per-second"]),
    seconds: Number(values.seconds),
    journalBytes: mode === "storage-alone" ? 0 : undefined,
  };
  try {
    const raw = await rawDisk(scratch);
    const result = await (isThroughBroker(mode) ? withBroker(target, options) : load(options));
    return { ...result, ...raw };
  } finally {
    rmSync(target, { recursive: true, force: true, maxRetries: 3 });
  }
}

function rowOf(mode: Mode, partitions: number, results: readonly (LoadResult & Raw)[]): Row {
  const middle = (of: (result: LoadResult & Raw) => number): number => median(results.map(of));
  return {
    mode,
    partitions,
    cpuMsPerMegabyte: middle(({ cpuSeconds, megabytes }) => (cpuSeconds * 1000) / megabytes),
    cpuRatio: 1,
    megabytesPerSecond: middle(({ megabytes, elapsedSeconds }) => megabytes / elapsedSeconds),
    p50Ms: middle(({ p50Ms }) => p50Ms),
    p99Ms: middle(({ p99Ms }) => p99Ms),
    maxMs: middle(({ maxMs }) => maxMs),
    recordsPerBatch: middle(({ requests }) => requests?.recordsPerBatch ?? 1),
    batchesPerRequest: middle(({ requests }) => requests?.batchesPerRequest ?? 1),
    peakResidentMegabytes: middle((result) => result.peakResidentMegabytes),
    rawP50Ms: middle(({ rawP50Ms }) => rawP50Ms),
    rawP99Ms: middle(({ rawP99Ms }) => rawP99Ms),
  };
}

function print(rows: readonly Row[]): void {
  console.log(
    "mode           partitions  CPU ms/MB  ratio   MB/s  ack p50  ack p99  ack max  raw p50  raw p99 ms  records/batch  batches/request  peak MB",
  );
  for (const row of rows) {
    const ms = [row.p50Ms, row.p99Ms, row.maxMs, row.rawP50Ms, row.rawP99Ms];
    console.log(
      [
        row.mode.padEnd(14),
        String(row.partitions).padStart(10),
        row.cpuMsPerMegabyte.toFixed(1).padStart(10),
        row.cpuRatio.toFixed(2).padStart(6),
        row.megabytesPerSecond.toFixed(1).padStart(6),
        ...ms.map((value) => value.toFixed(2).padStart(8)),
        row.recordsPerBatch.toFixed(1).padStart(17),
        row.batchesPerRequest.toFixed(1).padStart(16),
        row.peakResidentMegabytes.toFixed(0).padStart(8),
      ].join(" "),
    );
  }
}

const modes = values.modes.split(",") as Mode[];
const counts = values.partitions.split(",").map(Number);
const rounds = Number(values.rounds);
const scratch = mkdtempSync(join(values.dir, "millrace-partitions-"));
const results = new Map<string, (LoadResult & Raw)[]>();
try {
  for (let round = 0; round < rounds; round++) {
    for (const partitions of counts) {
      for (const mode of modes) {
        process.stderr.write(
          `round ${round + 1} of ${rounds}: ${mode}, ${partitions} partitions\n`,
        );
        const key = `${mode} ${partitions}`;
        results.set(key, [...(results.get(key) ?? []), await runOnce(mode, partitions, scratch)]);
      }
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
}
const rows = modes.flatMap((mode) => {
  const ofMode = counts.map((partitions) =>
    rowOf(mode, partitions, results.get(`${mode} ${partitions}`) ?? []),
  );
  const first = ofMode[0]?.cpuMsPerMegabyte ?? 1;
  return ofMode.map((row) => ({ ...row, cpuRatio: row.cpuMsPerMegabyte / first }));
});
if (values.json) {
  console.log(JSON.stringify(rows));
} else {
  print(rows);
}
