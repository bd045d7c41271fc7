// The load of partitions.ts: records of 1 KiB leave by a schedule that nothing slows down, one partition after the other, and
// every latency counts from the moment a record should have left. Prints one line of JSON: `node partitions-load.js OPTIONS`.
// A process of its own, so that the thread pool has its size and CPU seconds are the load's alone.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { RecordBatchBuilder } from "@millrace/protocol";
import { createNodeRuntime } from "@millrace/runtime/node";
import { type Log, LogManager, parseLogConfig } from "@millrace/storage";
import { Millrace } from "millrace";

export interface LoadOptions {
  /** `broker`: a producer against `target` (a URL). `storage`: logs in this process, in `target` (a directory). */
  readonly mode: "broker" | "storage";
  readonly target: string;
  readonly brokerPid: number;
  readonly partitions: number;
  readonly megabytesPerSecond: number;
  readonly seconds: number;
  /** Each record leaves as a batch of its own, however late the answers are. Broker only; in `storage` mode it always does. */
  readonly hasSingleRecords?: boolean | undefined;
  /** 0: each log syncs for itself. Storage only; a broker has its own. */
  readonly journalBytes?: number | undefined;
}

export interface LoadResult {
  readonly sent: number;
  readonly megabytes: number;
  readonly elapsedSeconds: number;
  /** User and system, of the broker; in `storage` mode of this process, which is load and engine in one. */
  readonly cpuSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** What the producer sent, warm-up included; absent in `storage` mode, where each record is a batch. */
  readonly requests?: RequestShape | undefined;
  /** The most that the broker's process had resident so far. */
  readonly peakResidentMegabytes: number;
}

/** How the producer packed: CPU per MB means little without it, because a slow broker gets larger batches. */
export interface RequestShape {
  readonly recordsPerBatch: number;
  readonly batchesPerRequest: number;
}

type Send = (partition: number) => Promise<unknown>;

const RECORD_BYTES = 1024;
/** The least that a producer takes: one record fills it. */
const SINGLE_RECORD_BYTES = 256;
const WARM_UP_SECONDS = 1;
/** Beyond so many without an answer the rate is too much, and the schedule waits: the latencies tell. */
const IN_FLIGHT_MAX = 200_000;

/** User and system CPU seconds of a process so far (Linux). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Linux. */
function peakResidentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function paced(options: LoadOptions, seconds: number, send: Send): Promise<Float64Array> {
  const perMs = (options.megabytesPerSecond * 1e6) / RECORD_BYTES / 1000;
  const total = Math.round(perMs * 1000 * seconds);
  const latencies = new Float64Array(total);
  const start = performance.now();
  let sent = 0;
  let settled = 0;
  let failure: unknown;
  const one = (number: number): void => {
    const intendedAt = start + number / perMs;
    send(number % options.partitions).then(
      () => {
        latencies[settled++] = performance.now() - intendedAt;
      },
      (error: unknown) => {
        failure ??= error;
        settled++;
      },
    );
  };
  while (settled < total) {
    const due = Math.min(total, Math.floor((performance.now() - start) * perMs) + 1);
    for (; sent < due && sent - settled < IN_FLIGHT_MAX; sent++) {
      one(sent);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (failure !== undefined) {
      throw failure;
    }
  }
  return latencies.sort();
}

async function measure(options: LoadOptions, send: Send): Promise<LoadResult> {
  await Promise.all(Array.from({ length: options.partitions }, (_, partition) => send(partition)));
  await paced(options, WARM_UP_SECONDS, send);
  const startedAt = performance.now();
  const cpuBefore = cpuSeconds(options.brokerPid);
  const latencies = await paced(options, options.seconds, send);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return {
    sent: latencies.length,
    megabytes: (latencies.length * RECORD_BYTES) / 1e6,
    elapsedSeconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: cpuSeconds(options.brokerPid) - cpuBefore,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    peakResidentMegabytes: peakResidentMegabytes(options.brokerPid),
  };
}

async function throughBroker(options: LoadOptions): Promise<LoadResult> {
  const client = new Millrace(options.target);
  const topic = `partitions-${options.partitions}-${randomUUID().slice(0, 8)}`;
  await client.admin().createTopic(topic, { partitions: options.partitions });
  const size = options.hasSingleRecords === true ? { batchBytes: SINGLE_RECORD_BYTES } : {};
  const producer = client.producer({ acks: "all", ...size });
  const value = new Uint8Array(RECORD_BYTES).fill(120);
  try {
    const result = await measure(options, (partition) =>
      producer.send({ topic, partition, value }),
    );
    const { recordsPerBatch, batchesAcknowledged, requests } = producer.metrics();
    return {
      ...result,
      requests: { recordsPerBatch, batchesPerRequest: batchesAcknowledged / requests },
    };
  } finally {
    await producer.close();
    await client.admin().deleteTopic(topic);
    await client.close();
  }
}

/** One batch per record: what a producer sends that has nothing to wait for. */
async function throughStorage(options: LoadOptions): Promise<LoadResult> {
  const runtime = createNodeRuntime();
  const config = options.journalBytes === undefined ? {} : { journalBytes: options.journalBytes };
  const manager = await LogManager.open({ runtime, path: options.target, nodeId: 1, config });
  const topicId = randomUUID();
  const logs: Log[] = [];
  for (let partition = 0; partition < options.partitions; partition++) {
    logs.push(await manager.createLog({ topic: "load", topicId, partition }, parseLogConfig()));
  }
  const builder = new RecordBatchBuilder({ initialBytes: 2 * RECORD_BYTES });
  builder.append({ key: null, value: new Uint8Array(RECORD_BYTES).fill(120), timestamp: 1 });
  const batch = builder.build({ compute: runtime.compute }).slice();
  const send: Send = (partition) => {
    const log = logs[partition] as Log;
    const outcome = log.append(batch.slice(), { leaderEpoch: 0 });
    return outcome.ok
      ? log.whenFlushed(outcome.lastOffset)
      : Promise.reject(new Error(outcome.message));
  };
  try {
    return await measure({ ...options, brokerPid: process.pid }, send);
  } finally {
    await manager.close();
  }
}

const argument = process.argv[2];
if (argument !== undefined) {
  const options = JSON.parse(argument) as LoadOptions;
  const run = options.mode === "broker" ? throughBroker : throughStorage;
  process.stdout.write(`${JSON.stringify(await run(options))}\n`);
}
