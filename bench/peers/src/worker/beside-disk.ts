// Produce in parts, with the disk by itself before, between and after them. The load rests while the disk is measured, and
// the disk is let alone while the load runs.

import { diskMegabytesPerSecond } from "../disk.js";
import type { Driver } from "../driver.js";
import type { DiskPart, Job, JobAnswer } from "../job.js";
import { round } from "../statistics.js";
import { closedLoop } from "./closed-loop.js";
import { Meter } from "./meter.js";
import { batchesMaxOf, prepareBatches } from "./produce.js";

const PARTS = 4;

export async function runBesideDisk(driver: Driver, job: Job): Promise<JobAnswer> {
  const batches = prepareBatches(job);
  const perBatch = batches[0]?.length ?? 1;
  const megabytesPerBatch = (perBatch * job.workload.recordBytes) / 1e6;
  const operationsMax = batchesMaxOf(job, perBatch);
  const width = job.batchesInFlight;
  await driver.createTopic();
  const producer = await driver.openProducer();
  const send = (_: number, index: number): Promise<unknown> =>
    producer.sendBatch(batches[index % batches.length] ?? []);
  const disk = (): number => diskMegabytesPerSecond(job.scratchDirectory, job.seconds);
  let sent = await closedLoop(send, { width, seconds: job.warmUpSeconds, operationsMax });
  const diskParts: DiskPart[] = [];
  for (let part = 0, diskBefore = disk(); part < PARTS; part++) {
    const meter = new Meter(job.serverPids);
    const done = await closedLoop(send, { width, seconds: job.seconds, operationsMax });
    const megabytesPerSecond = round((done * megabytesPerBatch) / meter.elapsedSeconds, 1);
    const diskAfter = disk();
    diskParts.push({ megabytesPerSecond, diskBefore, diskAfter });
    diskBefore = diskAfter;
    sent += done;
  }
  await producer.close();
  const stored = await driver.countRecords();
  await driver.deleteTopic();
  return { diskParts, acknowledged: sent * perBatch, stored, storedBy: "counting" };
}
