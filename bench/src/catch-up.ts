// node bench/dist/catch-up.js [--megabytes 2048] [--batch-kib 1000] [--iterate] [--json] [--directory D] [--cli PATH]
//
// Consumers that catch up: a real broker serves 1 KiB records from segments that are cold (their page cache is dropped
// first), that are in the page cache, and from the tail in its memory. Beside each slice of the first two a raw read of
// the same file, with requests of the same size, in turns: the disk of a virtual machine swings. CPU is user and system
// seconds per GB (10^9 bytes) of either process. Linux.

import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { closeSync, fsyncSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Millrace } from "millrace";
import { BrokerProcess } from "./broker-process.js";
import type { ReadOrder, ReadReport } from "./catch-up-reader.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const RECORD_BYTES = 1024;
const SEGMENT_BYTES = 128 * MIB;
/** What a consumer asks one partition for at once, unless told otherwise. */
const REQUEST_BYTES = MIB;
const TAIL_BYTES = 32 * MIB;
const TAIL_SLICES = 10;

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "2048" },
    "batch-kib": { type: "string", default: "1000" },
    iterate: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    directory: { type: "string" },
    cli: { type: "string" },
    "broker-flag": { type: "string", multiple: true, default: [] },
  },
});

interface Slice {
  readonly megabytesPerSecond: number;
  readonly brokerCpu: number;
  readonly clientCpu: number;
  readonly brokerReadShare: number;
  readonly clientMegabytes: number;
  /** Over the raw read of the same file. */
  readonly ratio: number | undefined;
}

interface SealedSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly endOffset: number;
}

/** The page cache lets go of the file; what is not on the disk yet goes there first. */
function dropFromPageCache(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
  execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

/** Megabytes per second. */
function readRaw(path: string): number {
  const file = openSync(path, "r");
  const target = new Uint8Array(REQUEST_BYTES);
  const startedAt = performance.now();
  let position = 0;
  for (;;) {
    const count = readSync(file, target, 0, target.length, position);
    if (count === 0) {
      break;
    }
    position += count;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  closeSync(file);
  return position / 1e6 / seconds;
}

async function produce(client: Millrace, topic: string, bytes: number): Promise<void> {
  const batchBytes = Number(values["batch-kib"]) * KIB;
  const producer = client.producer({ batchBytes, acks: 1 });
  const value = new Uint8Array(RECORD_BYTES);
  for (let index = 0; index < value.length; index++) {
    value[index] = (index * 31) & 0xff;
  }
  const chunk = Array.from({ length: 1000 }, () => ({ topic, value }));
  for (let sent = 0; sent < bytes; sent += chunk.length * RECORD_BYTES) {
    await producer.send(chunk);
  }
  await producer.close();
}

function sealedSegments(directory: string): SealedSegment[] {
  const bases = readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .map((name) => ({ path: join(directory, name), baseOffset: Number(name.slice(0, -4)) }));
  return bases.slice(0, -1).map((base, index) => ({
    ...base,
    endOffset: bases[index + 1]?.baseOffset ?? 0,
  }));
}

interface Scene {
  readonly broker: BrokerProcess;
  readonly client: Millrace;
  readonly reader: ChildProcess;
  readonly topic: string;
}

function ask(reader: ChildProcess, order: ReadOrder): Promise<ReadReport> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the reader ended: ${code}`));
    reader.once("exit", onExit);
    reader.once("message", (report) => {
      reader.off("exit", onExit);
      resolve(report as ReadReport);
    });
    reader.send(order);
  });
}

/** Has the offsets from `from` up to `to` read by a new consumer. */
async function consume(scene: Scene, from: number, to: number): Promise<Omit<Slice, "ratio">> {
  const { broker, reader, topic } = scene;
  const before = broker.figures();
  const report = await ask(reader, { topic, from, to, iterate: values.iterate });
  const after = broker.figures();
  if (values.iterate && report.valueBytes < (to - from) * RECORD_BYTES) {
    throw new Error("records are missing");
  }
  const gigabytes = (report.records * RECORD_BYTES) / 1e9;
  return {
    megabytesPerSecond: (gigabytes * 1e3) / report.seconds,
    brokerCpu: (after.cpuSeconds - before.cpuSeconds) / gigabytes,
    clientCpu: report.cpuSeconds / gigabytes,
    brokerReadShare: (after.readMegabytes - before.readMegabytes) / 1e3 / gigabytes,
    clientMegabytes: report.residentMegabytes,
  };
}

async function consumeBesideRaw(scene: Scene, isCold: boolean): Promise<Slice[]> {
  const segments = sealedSegments(join(scene.broker.dataDirectory, `${scene.topic}-0`));
  const slices: Slice[] = [];
  if (isCold && segments[0] !== undefined) {
    // Both processes compile what they run often; that is no part of reading.
    await consume(scene, segments[0].baseOffset, segments[0].endOffset);
  }
  for (const [index, segment] of segments.entries()) {
    const prepare = (): void => (isCold ? dropFromPageCache(segment.path) : undefined);
    let raw = 0;
    if (index % 2 === 1) {
      prepare();
      raw = readRaw(segment.path);
    }
    prepare();
    const slice = await consume(scene, segment.baseOffset, segment.endOffset);
    if (index % 2 === 0) {
      prepare();
      raw = readRaw(segment.path);
    }
    slices.push({ ...slice, ratio: slice.megabytesPerSecond / raw });
  }
  return slices;
}

async function consumeTail(scene: Scene): Promise<Slice[]> {
  const [latest] = await scene.client.admin().listOffsets(scene.topic, "latest");
  const end = latest?.offset ?? 0;
  const from = Math.max(0, end - TAIL_BYTES / RECORD_BYTES);
  const slices: Slice[] = [];
  for (let slice = 0; slice < TAIL_SLICES; slice++) {
    slices.push({ ...(await consume(scene, from, end)), ratio: undefined });
  }
  return slices;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[numbers.length >> 1] ?? 0;
}

interface Row {
  readonly from: string;
  readonly megabytesPerSecond: number;
  readonly ratio: number | undefined;
  readonly ratioSpread: readonly [number, number] | undefined;
  readonly brokerCpuPerGigabyte: number;
  readonly clientCpuPerGigabyte: number;
  /** Bytes the broker read, files and sockets, over bytes consumed. */
  readonly brokerReadShare: number;
  readonly brokerPeakMegabytes: number;
  readonly clientMegabytes: number;
}

function rowOf(from: string, slices: readonly Slice[], broker: BrokerProcess): Row {
  const ratios = slices.flatMap(({ ratio }) => ratio ?? []);
  const mean = (pick: (slice: Slice) => number): number =>
    slices.reduce((sum, slice) => sum + pick(slice), 0) / slices.length;
  return {
    from,
    megabytesPerSecond: median(slices.map((slice) => slice.megabytesPerSecond)),
    ratio: ratios.length === 0 ? undefined : median(ratios),
    ratioSpread: ratios.length === 0 ? undefined : [Math.min(...ratios), Math.max(...ratios)],
    brokerCpuPerGigabyte: mean((slice) => slice.brokerCpu),
    clientCpuPerGigabyte: mean((slice) => slice.clientCpu),
    brokerReadShare: mean((slice) => slice.brokerReadShare),
    brokerPeakMegabytes: broker.figures().peakResidentMegabytes,
    clientMegabytes: Math.max(...slices.map((slice) => slice.clientMegabytes)),
  };
}

function print(rows: readonly Row[]): void {
  console.log(
    "from         MB/s   of raw (spread)      broker CPU s/GB  client CPU s/GB  broker reads  broker peak MB  client MB",
  );
  for (const row of rows) {
    const spread = row.ratioSpread?.map((ratio) => ratio.toFixed(2)).join("-") ?? "";
    console.log(
      [
        row.from.padEnd(10),
        row.megabytesPerSecond.toFixed(0).padStart(6),
        `${row.ratio?.toFixed(2) ?? "-"} (${spread})`.padStart(17),
        row.brokerCpuPerGigabyte.toFixed(2).padStart(20),
        row.clientCpuPerGigabyte.toFixed(2).padStart(16),
        row.brokerReadShare.toFixed(2).padStart(13),
        row.brokerPeakMegabytes.toFixed(0).padStart(15),
        row.clientMegabytes.toFixed(0).padStart(10),
      ].join(" "),
    );
  }
}

await using broker = await BrokerProcess.start({
  parent: values.directory,
  cli: values.cli,
  nodeFlags: values["broker-flag"],
});
const client = new Millrace(broker.url);
const reader = fork(fileURLToPath(new URL("catch-up-reader.js", import.meta.url)), [broker.url]);
const scene: Scene = { broker, client, reader, topic: "catch-up" };
await client.admin().createTopic(scene.topic, {
  partitions: 1,
  config: { "segment.bytes": String(SEGMENT_BYTES), flush: "os" },
});
await produce(client, scene.topic, Number(values.megabytes) * 1e6);
const rows = [
  rowOf("cold", await consumeBesideRaw(scene, true), broker),
  rowOf("page cache", await consumeBesideRaw(scene, false), broker),
  rowOf("tail", await consumeTail(scene), broker),
];
await client.close();
reader.disconnect();
if (values.json) {
  console.log(JSON.stringify(rows));
} else {
  print(rows);
}
