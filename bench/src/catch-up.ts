// node bench/dist/catch-up.js [--megabytes 2048] [--batch-kib 1000] [--batches-only] [--json] [--directory D] [--cli PATH]
//
// Consumers that catch up: a real broker serves 1 KiB records from segments that are cold (their page cache is dropped
// first), that are in the page cache, and from the tail in its memory; the consumer goes through every record. The disk
// of a virtual machine swings, so each segment is read three times: raw, with requests of the same size, by the
// consumer, and raw again, each time as cold as the others. A ratio is that of the consumer's rate to the two raw
// reads together; reported is the median over the segments. CPU is user and system seconds per GB (10^9 bytes) of
// either process. A read counts as cold only when the kernel says that the disk was asked. Linux.

import { type ChildProcess, fork } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Millrace } from "millrace";
import { BrokerProcess } from "./broker-process.js";
import type { ReadOrder, ReadReport } from "./catch-up-reader.js";
import { dropFromPageCache, type RawRead, readRaw } from "./raw-read.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const RECORD_BYTES = 1024;
const SEGMENT_BYTES = 128 * MIB;
/** What a consumer asks one partition for at once, unless told otherwise. */
const REQUEST_BYTES = MIB;
const TAIL_BYTES = 32 * MIB;
const TAIL_SLICES = 10;
/** Read before anything is measured: both processes compile what they run often. */
const WARM_UP_SEGMENTS = 4;
/** What must come from the disk for a read to be called cold. */
const COLD_SHARE = 0.95;

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "2048" },
    "batch-kib": { type: "string", default: "1000" },
    "batches-only": { type: "boolean", default: false },
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
  /** What the broker fetched from the disk, over what was consumed. */
  readonly diskShare: number;
  readonly clientMegabytes: number;
  /** Of the raw reads around it. */
  readonly rawMegabytesPerSecond: number | undefined;
}

interface SealedSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly endOffset: number;
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

/** Without the last one: some of it may lie in the tail. */
function sealedSegments(directory: string): SealedSegment[] {
  const bases = readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .map((name) => ({ path: join(directory, name), baseOffset: Number(name.slice(0, -4)) }));
  return bases.slice(0, -2).map((base, index) => ({
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
async function consume(scene: Scene, from: number, to: number): Promise<Slice> {
  const { broker, reader, topic } = scene;
  const iterate = !values["batches-only"];
  const before = broker.figures();
  const report = await ask(reader, { topic, from, to, iterate });
  const after = broker.figures();
  if (iterate && report.valueBytes < (to - from) * RECORD_BYTES) {
    throw new Error("records are missing");
  }
  const gigabytes = (report.records * RECORD_BYTES) / 1e9;
  return {
    megabytesPerSecond: (gigabytes * 1e3) / report.seconds,
    brokerCpu: (after.cpuSeconds - before.cpuSeconds) / gigabytes,
    clientCpu: report.cpuSeconds / gigabytes,
    diskShare: (after.diskReadMegabytes - before.diskReadMegabytes) / 1e3 / gigabytes,
    clientMegabytes: report.residentMegabytes,
    rawMegabytesPerSecond: undefined,
  };
}

function checkCold(diskShare: number, who: string): void {
  if (diskShare < COLD_SHARE) {
    throw new Error(
      `${who} found part of a cold segment in memory: ${diskShare.toFixed(2)} came from the disk`,
    );
  }
}

async function consumeBesideRaw(scene: Scene, isCold: boolean): Promise<Slice[]> {
  const segments = sealedSegments(join(scene.broker.dataDirectory, `${scene.topic}-0`));
  const slices: Slice[] = [];
  for (const { path, baseOffset, endOffset } of segments) {
    const raw = (): RawRead => {
      if (isCold) {
        dropFromPageCache(path);
      }
      const read = readRaw(path, REQUEST_BYTES);
      if (isCold) {
        checkCold(read.diskMegabytes / read.megabytes, "the raw read");
        dropFromPageCache(path);
      }
      return read;
    };
    const before = raw();
    const slice = await consume(scene, baseOffset, endOffset);
    if (isCold) {
      checkCold(slice.diskShare, "the broker");
    }
    const after = raw();
    const rawMegabytesPerSecond =
      (before.megabytes + after.megabytes) / (before.seconds + after.seconds);
    slices.push({ ...slice, rawMegabytesPerSecond });
  }
  return slices;
}

async function warmUp(scene: Scene): Promise<void> {
  const segments = sealedSegments(join(scene.broker.dataDirectory, `${scene.topic}-0`));
  for (const { baseOffset, endOffset } of segments.slice(0, WARM_UP_SEGMENTS)) {
    await consume(scene, baseOffset, endOffset);
  }
}

async function consumeTail(scene: Scene): Promise<Slice[]> {
  const [latest] = await scene.client.admin().listOffsets(scene.topic, "latest");
  const end = latest?.offset ?? 0;
  const from = Math.max(0, end - TAIL_BYTES / RECORD_BYTES);
  const slices: Slice[] = [];
  for (let slice = 0; slice < TAIL_SLICES; slice++) {
    slices.push(await consume(scene, from, end));
  }
  return slices;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[numbers.length >> 1] ?? 0;
}

interface Row {
  readonly from: string;
  readonly megabytesPerSecond: number;
  readonly rawMegabytesPerSecond: number | undefined;
  readonly ratio: number | undefined;
  readonly ratioSpread: readonly [number, number] | undefined;
  readonly brokerCpuPerGigabyte: number;
  readonly clientCpuPerGigabyte: number;
  readonly diskShare: number;
  readonly brokerPeakMegabytes: number;
  readonly clientMegabytes: number;
}

function rowOf(from: string, slices: readonly Slice[], broker: BrokerProcess): Row {
  const raws = slices.flatMap(({ rawMegabytesPerSecond }) => rawMegabytesPerSecond ?? []);
  const ratios = raws.map((raw, index) => (slices[index]?.megabytesPerSecond ?? 0) / raw);
  const mean = (pick: (slice: Slice) => number): number =>
    slices.reduce((sum, slice) => sum + pick(slice), 0) / slices.length;
  const hasRaw = raws.length > 0;
  return {
    from,
    megabytesPerSecond: median(slices.map((slice) => slice.megabytesPerSecond)),
    rawMegabytesPerSecond: hasRaw ? median(raws) : undefined,
    ratio: hasRaw ? median(ratios) : undefined,
    ratioSpread: hasRaw ? [Math.min(...ratios), Math.max(...ratios)] : undefined,
    brokerCpuPerGigabyte: mean((slice) => slice.brokerCpu),
    clientCpuPerGigabyte: mean((slice) => slice.clientCpu),
    diskShare: mean((slice) => slice.diskShare),
    brokerPeakMegabytes: broker.figures().peakResidentMegabytes,
    clientMegabytes: Math.max(...slices.map((slice) => slice.clientMegabytes)),
  };
}

function print(rows: readonly Row[]): void {
  console.log(
    "from         MB/s   raw MB/s   of raw (spread)  broker CPU s/GB  client CPU s/GB  from disk  broker peak MB  client MB",
  );
  for (const row of rows) {
    const spread = row.ratioSpread?.map((ratio) => ratio.toFixed(2)).join("-") ?? "";
    console.log(
      [
        row.from.padEnd(10),
        row.megabytesPerSecond.toFixed(0).padStart(6),
        (row.rawMegabytesPerSecond?.toFixed(0) ?? "-").padStart(10),
        `${row.ratio?.toFixed(2) ?? "-"} (${spread})`.padStart(17),
        row.brokerCpuPerGigabyte.toFixed(2).padStart(16),
        row.clientCpuPerGigabyte.toFixed(2).padStart(16),
        row.diskShare.toFixed(2).padStart(10),
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
await warmUp(scene);
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
