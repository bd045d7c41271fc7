// One record for each call: awaited one at a time, or 1,000 on their way.

import type { Driver } from "../driver.js";
import type { Job, JobAnswer } from "../job.js";
import { createPayloads } from "../payload.js";
import { summarise } from "../statistics.js";
import { closedLoop, Samples } from "./closed-loop.js";
import { Meter } from "./meter.js";

export async function runSingle(driver: Driver, job: Job): Promise<JobAnswer> {
  const { recordBytes, content, kind } = job.workload;
  const payloads = createPayloads(content, recordBytes);
  await driver.createTopic();
  const producer = await driver.openProducer();
  const send = (_: number, index: number): Promise<unknown> =>
    producer.send(payloads[index % payloads.length] as Uint8Array);
  const width = kind === "awaited" ? 1 : job.recordsInFlight;
  const warm = await closedLoop(send, { width, seconds: job.warmUpSeconds });
  const samples = new Samples();
  const meter = new Meter(job.serverPids);
  const done = await closedLoop(send, { width, seconds: job.seconds, samples });
  const produce = meter.end(done, done * recordBytes, summarise(samples.values));
  await producer.close();
  const stored = await driver.countRecords();
  await driver.deleteTopic();
  return { produce, acknowledged: warm + done, stored, storedBy: "counting" };
}
