// Produce and read back: batches for a while, then the whole topic from its start, so that what was counted as sent
// is known to be there; where reading is measured, once more.

import type { Driver } from "../driver.js";
import { Fingerprint } from "../fingerprint.js";
import type { Job, JobAnswer, Phase } from "../job.js";
import { createPayloads } from "../payload.js";
import { summarise } from "../statistics.js";
import { closedLoop, Samples } from "./closed-loop.js";
import { Meter } from "./meter.js";
import { until } from "./pause.js";

const READ_TIMEOUT_MS = 40_000;
/** Distinct batches that take turns, so that none has to be made while the clock runs. */
const BATCHES_PREPARED = 8;
/**
 * Spread over a thousand partitions these are 12 KiB for each. Kafka makes the index of a partition after the first 4 KiB,
 * which takes it most of a minute for all of them: opening files, not producing.
 */
const WARM_UP_BATCHES_MIN = 12;
/** What formats add to each record, at most: a batch of Kafka's has to fit its server's limit. */
const RECORD_OVERHEAD_BYTES = 16;

export function prepareBatches(job: Job): Uint8Array[][] {
  const records = createPayloads(job.workload.content, job.workload.recordBytes);
  const perRecord = job.workload.recordBytes + RECORD_OVERHEAD_BYTES;
  const perBatch = Math.max(1, Math.floor(job.batchBytes / perRecord));
  return Array.from({ length: BATCHES_PREPARED }, (_, batch) =>
    Array.from(
      { length: perBatch },
      (_, index) => records[(batch * perBatch + index) % records.length] as Uint8Array,
    ),
  );
}

/** At most so many in one stretch. */
export function batchesMaxOf(job: Job, perBatch: number): number {
  return Math.max(1, Math.floor(job.maxBytes / (perBatch * job.workload.recordBytes)));
}

/** `operations` calls of the closed loop have sent the batches in turn. */
function addSent(sent: Fingerprint, batches: readonly Uint8Array[][], operations: number): void {
  for (const [index, batch] of batches.entries()) {
    sent.addAll(batch, Math.floor((operations + batches.length - 1 - index) / batches.length));
  }
}

/**
 * The rate counts from the first delivery: what finding the topic and joining a group takes is not reading.
 * @throws when other records come than were `sent`, if that is given
 */
async function readBack(
  driver: Driver,
  job: Job,
  { expected, sent }: { expected: number; sent: Fingerprint | undefined },
): Promise<[number, Phase]> {
  const read = sent && new Fingerprint();
  let records = 0;
  let bytes = 0;
  let failure: unknown;
  let meter: Meter | undefined;
  let phase: Phase | undefined;
  const consumer = await driver.openConsumer({
    onValue: (value) => {
      meter ??= new Meter(job.serverPids);
      records++;
      bytes += value.length;
      read?.add(value);
      if (records === expected) {
        phase = meter.end(records, bytes);
      }
    },
    onError: (error) => {
      failure ??= error;
    },
  });
  await until(() => records >= expected || failure !== undefined, {
    timeoutMs: READ_TIMEOUT_MS,
    what: () => `read ${records} of ${expected} records`,
  });
  if (failure !== undefined) {
    throw failure;
  }
  await consumer.close();
  if (records === expected && read?.value !== sent?.value) {
    throw new Error(`${records} records were read, but not those that were sent`);
  }
  return [records, phase ?? new Meter([]).end(records, bytes)];
}

export async function runProduce(driver: Driver, job: Job): Promise<JobAnswer> {
  const batches = prepareBatches(job);
  const perBatch = batches[0]?.length ?? 1;
  const { workload } = job;
  const { recordBytes } = workload;
  const batchesMax = batchesMaxOf(job, perBatch);
  await driver.createTopic();
  const producer = await driver.openProducer();
  const send = (_: number, index: number): Promise<unknown> =>
    producer.sendBatch(batches[index % batches.length] ?? []);
  const width = job.batchesInFlight;
  const warm = await closedLoop(send, {
    width,
    seconds: job.warmUpSeconds,
    operationsMin: workload.partitions > 1 ? WARM_UP_BATCHES_MIN : 0,
    operationsMax: batchesMax,
  });
  const samples = new Samples();
  const meter = new Meter(job.serverPids);
  const done = await closedLoop(send, {
    width,
    seconds: job.seconds,
    operationsMax: batchesMax,
    samples,
  });
  const records = done * perBatch;
  const produce = meter.end(records, records * recordBytes, summarise(samples.values));
  await producer.close();
  const acknowledged = (warm + done) * perBatch;
  const sent = new Fingerprint();
  addSent(sent, batches, warm);
  addSent(sent, batches, done);
  let [stored, consume] = await readBack(driver, job, { expected: acknowledged, sent });
  if (workload.group === "core" && stored === acknowledged) {
    // That was the proof, and the warm-up. Catching up is measured in a second pass, with no sum over the bytes.
    [stored, consume] = await readBack(driver, job, { expected: acknowledged, sent: undefined });
  }
  await driver.deleteTopic();
  return { produce, consume, acknowledged, stored, storedBy: "reading" };
}
