// Many clients with a connection each. First all of them are idle after one record, and the server's memory is
// compared with what it was before; then each awaits one record at a time.

import type { Driver, ProducerPort } from "../driver.js";
import type { Job, JobAnswer } from "../job.js";
import { createPayloads } from "../payload.js";
import { residentBytes } from "../proc.js";
import { summarise } from "../statistics.js";
import { closedLoop, Samples } from "./closed-loop.js";
import { Meter } from "./meter.js";
import { pause } from "./pause.js";

const OPENING_AT_ONCE = 20;
/** Long enough for a server to settle and for timers of a second to have fired. */
const IDLE_MS = 1_500;

async function openAll(driver: Driver, count: number, first: Uint8Array): Promise<ProducerPort[]> {
  const producers: ProducerPort[] = [];
  await closedLoop(
    async () => {
      const producer = await driver.openProducer();
      producers.push(producer);
      await producer.send(first);
    },
    { width: OPENING_AT_ONCE, seconds: 30, operationsMax: count },
  );
  if (producers.length < count) {
    throw new Error(`only ${producers.length} of ${count} connections were opened in 30 s`);
  }
  return producers;
}

export async function runConnections(driver: Driver, job: Job): Promise<JobAnswer> {
  if (job.workload.kind !== "connections") {
    throw new Error(`${job.workload.kind} is not about connections`);
  }
  const { recordBytes, content, connections } = job.workload;
  const payloads = createPayloads(content, recordBytes);
  await driver.createTopic();
  const beforeBytes = residentBytes(job.serverPids);
  const producers = await openAll(driver, connections, payloads[0] as Uint8Array);
  await pause(IDLE_MS);
  const idleBytes = residentBytes(job.serverPids);
  const send = (lane: number, index: number): Promise<unknown> =>
    (producers[lane] as ProducerPort).send(payloads[index % payloads.length] as Uint8Array);
  const width = connections;
  const warm = await closedLoop(send, { width, seconds: job.warmUpSeconds });
  const samples = new Samples();
  const meter = new Meter(job.serverPids);
  const done = await closedLoop(send, { width, seconds: job.seconds, samples });
  const produce = meter.end(done, done * recordBytes, summarise(samples.values));
  const stored = await driver.countRecords();
  await closedLoop((_, index) => (producers[index] as ProducerPort).close(), {
    width: OPENING_AT_ONCE,
    seconds: 10,
    operationsMax: connections,
  });
  return {
    produce,
    connectionMemory: { beforeBytes, idleBytes },
    acknowledged: connections + warm + done,
    stored,
    storedBy: "counting",
  };
}
