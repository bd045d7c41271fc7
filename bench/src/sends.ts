// node bench/dist/sends.js [--json] [--seconds S]
//
// What one send costs: awaited one at a time, pipelined (1,000 on their way), and 100 in one call, with each promise
// (acks 0; acks all with flush=os; acks all, fsynced), for 100-byte values and for the tiny record other clients'
// benchmarks use. Beside each, in slices that take turns, a bare `ws` round trip of the same size. The broker and
// the echo server are processes of their own; CPU seconds are user and system of each process.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Millrace, type Producer, type ProducerOptions, type ProducerRecord } from "millrace";
import { cpuSeconds } from "./broker-process.js";
import { Echo } from "./echo.js";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "1" },
  },
});
const sliceMs = Number(values.seconds) * 1000;
const SLICES = 3;
const WINDOW = 1_000;
const BATCH = 100;

interface Measured {
  readonly operationsPerSecond: number;
  readonly recordsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Row extends Measured {
  readonly record: string;
  readonly promise: string;
  readonly mode: string;
  readonly clientCpuPerMillion: number;
  readonly brokerCpuPerMillion: number;
  /** Operations per second over those of the bare round trip in the same run. */
  readonly ratioToEcho: number;
}

type Mode = "awaited" | "pipelined" | "batches of 100" | "echo";

const payloads = {
  "100 B": (topic: string): ProducerRecord => ({ topic, value: "v".repeat(100) }),
  tiny: (topic: string): ProducerRecord => ({
    topic,
    key: "111-1",
    value: "222",
    headers: [
      { key: "a", value: new TextEncoder().encode("1") },
      { key: "b", value: new TextEncoder().encode("2") },
    ],
  }),
} as const;

const promises: readonly { name: string; flush: "sync" | "os"; options: ProducerOptions }[] = [
  { name: "acks 0", flush: "os", options: { acks: 0 } },
  { name: "acks all, flush=os", flush: "os", options: { acks: "all" } },
  { name: "acks all, fsynced", flush: "sync", options: { acks: "all" } },
];

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString().split("\n")[0] ?? ""));
    child.once("exit", (code) => reject(new Error(`a server ended with ${code}`)));
  });
}

/** Runs `operation` for a slice, `width` at a time; latencies in milliseconds. */
async function slice(width: number, operation: () => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  const end = performance.now() + sliceMs;
  const lane = async (): Promise<void> => {
    for (let started = performance.now(); started < end; started = performance.now()) {
      await operation();
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return latencies;
}

function measured(latencies: number[], recordsEach: number): Measured {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  const operationsPerSecond = (latencies.length / (SLICES * sliceMs)) * 1000;
  return {
    operationsPerSecond,
    recordsPerSecond: operationsPerSecond * recordsEach,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** A bare round trip with a message as large as the record. */
interface RoundTrips {
  roundTrip(): Promise<void>;
}

function operationOf(mode: Mode, producer: Producer, record: ProducerRecord, echo: RoundTrips) {
  if (mode === "echo") {
    return () => echo.roundTrip();
  }
  const batch = Array.from({ length: BATCH }, () => record);
  return mode === "batches of 100" ? () => producer.send(batch) : () => producer.send(record);
}

async function measureTogether(
  scene: { producer: Producer; record: ProducerRecord; echo: RoundTrips; brokerPid: number },
  width: number,
  modes: readonly Mode[],
): Promise<Map<Mode, { latencies: number[]; clientCpu: number; brokerCpu: number }>> {
  const results = new Map(
    modes.map((mode) => [mode, { latencies: [] as number[], clientCpu: 0, brokerCpu: 0 }]),
  );
  for (let turn = 0; turn < SLICES; turn++) {
    for (const [mode, result] of results) {
      const operation = operationOf(mode, scene.producer, scene.record, scene.echo);
      const [client, broker] = [cpuSeconds(process.pid), cpuSeconds(scene.brokerPid)];
      for (const latency of await slice(width, operation)) {
        result.latencies.push(latency);
      }
      await scene.producer.flush();
      result.clientCpu += cpuSeconds(process.pid) - client;
      result.brokerCpu += cpuSeconds(scene.brokerPid) - broker;
    }
  }
  return results;
}

async function rowsOf(
  client: Millrace,
  names: { record: keyof typeof payloads; promise: (typeof promises)[number]; topic: string },
  scene: { echo: RoundTrips; brokerPid: number },
): Promise<Row[]> {
  const { topic, promise } = names;
  await client.admin().createTopic(topic, { partitions: 1, config: { flush: promise.flush } });
  const producer = client.producer(promise.options);
  const record = payloads[names.record](topic);
  await producer.send(record);
  const rows: Row[] = [];
  for (const [width, modes] of [
    [1, ["awaited", "batches of 100", "echo"]],
    [WINDOW, ["pipelined", "echo"]],
  ] as const) {
    const results = await measureTogether({ producer, record, ...scene }, width, modes);
    const echoes = measured(results.get("echo")?.latencies ?? [], 1).operationsPerSecond;
    for (const [mode, result] of results) {
      const figures = measured(result.latencies, mode === "batches of 100" ? BATCH : 1);
      const millions = (figures.recordsPerSecond * SLICES * sliceMs) / 1e9;
      rows.push({
        record: names.record,
        promise: mode === "echo" ? "-" : promise.name,
        mode: mode === "echo" ? `bare ws, ${width} at once` : mode,
        ...figures,
        clientCpuPerMillion: result.clientCpu / millions,
        brokerCpuPerMillion: mode === "echo" ? 0 : result.brokerCpu / millions,
        ratioToEcho: figures.operationsPerSecond / echoes,
      });
    }
  }
  await producer.close();
  return rows;
}

function print(rows: readonly Row[]): void {
  console.log(
    "record  promise              mode                        op/s  records/s   p50 ms   p99 ms  CPU s per million (client, broker)  to bare ws",
  );
  for (const row of rows) {
    console.log(
      [
        row.record.padEnd(7),
        row.promise.padEnd(20),
        row.mode.padEnd(22),
        row.operationsPerSecond.toFixed(0).padStart(9),
        row.recordsPerSecond.toFixed(0).padStart(10),
        row.p50Ms.toFixed(3).padStart(8),
        row.p99Ms.toFixed(3).padStart(8),
        row.clientCpuPerMillion.toFixed(2).padStart(16),
        row.brokerCpuPerMillion.toFixed(2).padStart(8),
        row.ratioToEcho.toFixed(2).padStart(19),
      ].join(" "),
    );
  }
}

const scratch = mkdtempSync(join(tmpdir(), "millrace-sends-"));
const cli = fileURLToPath(new URL("../../packages/cli/dist/main.cjs", import.meta.url));
const broker = spawn(
  process.execPath,
  [
    cli,
    "start",
    "--port",
    "0",
    "--json",
    "--log-level",
    "error",
    "--data-dir",
    join(scratch, "data"),
  ],
  { stdio: ["ignore", "pipe", "inherit"] },
);
let stopEcho = (): void => {};
try {
  const { url } = JSON.parse(await firstLine(broker)) as { url: string };
  const bare = await Echo.start();
  stopEcho = () => bare[Symbol.dispose]();
  const client = new Millrace(url);
  const rows: Row[] = [];
  for (const record of Object.keys(payloads) as (keyof typeof payloads)[]) {
    for (const [index, promise] of promises.entries()) {
      const message = new Uint8Array(record === "tiny" ? 30 : 100);
      const echo = { roundTrip: () => bare.roundTrip(message) };
      const topic = `sends-${record === "tiny" ? "tiny" : "plain"}-${index}`;
      rows.push(
        ...(await rowsOf(client, { record, promise, topic }, { echo, brokerPid: broker.pid ?? 0 })),
      );
    }
  }
  await client.close();
  if (values.json) {
    console.log(JSON.stringify(rows));
  } else {
    print(rows);
  }
} finally {
  stopEcho();
  await new Promise((resolve) => {
    broker.once("exit", resolve);
    broker.kill("SIGTERM");
  });
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
}
