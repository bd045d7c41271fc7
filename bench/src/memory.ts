// node bench/dist/memory.js [--gigabytes 10] [--partitions 4] [--json] [--directory D] [--limit 250]
//
// The broker's memory while a producer writes 10 GB of 1 KiB records, one consumer follows and another one catches up
// again and again from the earliest offset: resident memory as a series, and its peak (VmHWM). Retention keeps the disk
// small. Exits with 1 above the limit (MB). Linux.

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Consumer, Millrace } from "millrace";
import { BrokerProcess, cpuSeconds } from "./broker-process.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const RECORD_BYTES = 1024;
const SAMPLE_MS = 1_000;

const { values } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "10" },
    partitions: { type: "string", default: "4" },
    limit: { type: "string", default: "250" },
    json: { type: "boolean", default: false },
    directory: { type: "string" },
    cli: { type: "string" },
    "broker-flag": { type: "string", multiple: true, default: [] },
  },
});
const topic = "memory";
const targetRecords = (Number(values.gigabytes) * 1e9) / RECORD_BYTES;

async function produce(client: Millrace, progress: { sent: number }): Promise<void> {
  const producer = client.producer({ batchBytes: 512 * KIB });
  const value = new Uint8Array(RECORD_BYTES);
  for (let index = 0; index < value.length; index++) {
    value[index] = (index * 31) & 0xff;
  }
  const chunk = Array.from({ length: 1_000 }, () => ({ topic, value }));
  const lane = async (): Promise<void> => {
    while (progress.sent < targetRecords) {
      progress.sent += chunk.length;
      await producer.send(chunk);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  await producer.close();
}

interface Reading {
  records: number;
  rounds: number;
}

/** Reads until the consumer is closed. */
async function follow(consumer: Consumer, reading: Reading): Promise<void> {
  for await (const batch of consumer.batches()) {
    reading.records += batch.recordCount;
  }
}

/** From the earliest record to where the log ended then, and again, until `isOver`. */
async function catchUp(client: Millrace, reading: Reading, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const ends = await client.admin().listOffsets(topic, "latest");
    const left = new Set(
      ends.filter(({ offset }) => (offset ?? 0) > 0).map(({ partition }) => partition),
    );
    const consumer = client.consumer({ topics: topic, from: "earliest" });
    for await (const batch of left.size === 0 ? [] : consumer.batches()) {
      reading.records += batch.recordCount;
      const end = ends.find(({ partition }) => partition === batch.partition)?.offset ?? 0;
      if (batch.lastOffset >= end - 1) {
        left.delete(batch.partition);
      }
      if (left.size === 0 || isOver()) {
        break;
      }
    }
    await consumer.close();
    reading.rounds += 1;
    await sleep(100);
  }
}

await using broker = await BrokerProcess.start({
  parent: values.directory,
  cli: values.cli,
  nodeFlags: values["broker-flag"],
});
const client = new Millrace(broker.url);
await client.admin().createTopic(topic, {
  partitions: Number(values.partitions),
  config: { "segment.bytes": String(64 * MIB), "retention.bytes": String(256 * MIB) },
});
const progress = { sent: 0 };
const tailing: Reading = { records: 0, rounds: 0 };
const catching: Reading = { records: 0, rounds: 0 };
let isOver = false;
const follower = client.consumer({ topics: topic, from: "latest" });
await follower.ready();
const following = follow(follower, tailing);
const others = catchUp(client, catching, () => isOver);
const residentMegabytes: number[] = [];
const sampler = setInterval(
  () => residentMegabytes.push(Math.round(broker.figures().residentMegabytes)),
  SAMPLE_MS,
);
const startedAt = performance.now();
await produce(client, progress);
const seconds = (performance.now() - startedAt) / 1000;
isOver = true;
await others;
await follower.close();
await following;
clearInterval(sampler);
const { peakResidentMegabytes } = broker.figures();
const gigabytes = (progress.sent * RECORD_BYTES) / 1e9;
const report = {
  gigabytes: Number(gigabytes.toFixed(2)),
  megabytesPerSecond: Math.round((gigabytes * 1e3) / seconds),
  followedShare: Number((tailing.records / progress.sent).toFixed(2)),
  caughtUp: { gigabytes: (catching.records * RECORD_BYTES) / 1e9, rounds: catching.rounds },
  brokerCpuPerGigabyte: Number((cpuSeconds(broker.pid) / gigabytes).toFixed(2)),
  peakResidentMegabytes: Math.round(peakResidentMegabytes),
  residentMegabytes,
};
await client.close();
if (values.json) {
  console.log(JSON.stringify(report));
} else {
  console.log(report);
  console.log(`resident MB, each second: ${residentMegabytes.join(" ")}`);
}
if (peakResidentMegabytes > Number(values.limit)) {
  process.exitCode = 1;
}
