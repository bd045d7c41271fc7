// The open loop: records leave when they are due, whatever became of those before. A producer and a live consumer
// share this process and its clock; every record carries its number, so that its latency is known exactly.

import type { Driver, ProducerPort } from "../driver.js";
import type { Job, JobAnswer } from "../job.js";
import { createPayloads, markPayload, readMark } from "../payload.js";
import { evenSchedule, type Schedule } from "../schedule.js";
import { summarise } from "../statistics.js";
import { Meter } from "./meter.js";
import { pause, until } from "./pause.js";

/** A server that cannot keep up is not given more than this to hold. */
const UNACKNOWLEDGED_MAX = 200_000;
const DRAIN_TIMEOUT_MS = 20_000;
const TICK_MS = 1;
/** Records per second before a latency is measured; an idle topic alone would compile nothing. */
const WARM_RATE = 1_000;

interface Stretch {
  readonly arrivedMs: Float64Array;
  readonly acknowledgedMs: Float64Array;
  arrived: number;
  acknowledged: number;
}

/**
 * Sends every record of `schedule` when it is due: what is due at one tick goes in one call, because a client without
 * an accumulator would else be measured by its requests. Latencies go into `stretch` by number.
 */
async function sendAll(
  producer: ProducerPort,
  schedule: Schedule,
  {
    stretch,
    startMs,
    mark,
  }: { stretch: Stretch; startMs: number; mark: (index: number) => Uint8Array },
): Promise<void> {
  let failure: unknown;
  let sent = 0;
  const acknowledge = (from: number, to: number): void => {
    const sinceStartMs = performance.now() - startMs;
    for (let index = from; index < to; index++) {
      stretch.acknowledgedMs[index] = sinceStartMs - schedule.dueAtMs(index);
    }
    stretch.acknowledged += to - from;
  };
  while (sent < schedule.total && failure === undefined) {
    const due = schedule.dueBy(performance.now() - startMs);
    if (due > sent) {
      const from = sent;
      const values = Array.from({ length: due - from }, (_, index) => mark(from + index));
      const sending =
        values.length === 1 ? producer.send(values[0] as Uint8Array) : producer.sendBatch(values);
      sending.then(
        () => acknowledge(from, due),
        (error: unknown) => {
          failure ??= error;
        },
      );
      sent = due;
    }
    if (sent - stretch.acknowledged > UNACKNOWLEDGED_MAX) {
      throw new Error(
        `${sent - stretch.acknowledged} records are unacknowledged: it cannot keep up`,
      );
    }
    await pause(TICK_MS);
  }
  await until(
    () => failure !== undefined || (stretch.acknowledged === sent && stretch.arrived === sent),
    {
      timeoutMs: DRAIN_TIMEOUT_MS,
      what: () =>
        `of ${sent} records ${stretch.acknowledged} were acknowledged, ${stretch.arrived} consumed`,
    },
  );
  if (failure !== undefined) {
    throw failure;
  }
}

/** Room for one stretch; number `base + index` marks its records. */
class OpenLoop {
  readonly #payloads: readonly Uint8Array[];
  #stretch: Stretch | undefined;
  #schedule: Schedule | undefined;
  #startMs = 0;
  #base = 0;
  failure: unknown;

  constructor(payloads: readonly Uint8Array[]) {
    this.#payloads = payloads;
  }

  readonly onValue = (value: Uint8Array): void => {
    const index = readMark(value) - this.#base;
    const stretch = this.#stretch;
    // Anything else is a record of the stretch before, delivered again.
    if (stretch !== undefined && this.#schedule !== undefined && stretch.arrivedMs[index] === -1) {
      stretch.arrivedMs[index] = performance.now() - this.#startMs - this.#schedule.dueAtMs(index);
      stretch.arrived++;
    }
  };

  async run(producer: ProducerPort, schedule: Schedule): Promise<Stretch> {
    const stretch: Stretch = {
      arrivedMs: new Float64Array(schedule.total).fill(-1),
      acknowledgedMs: new Float64Array(schedule.total),
      arrived: 0,
      acknowledged: 0,
    };
    const base = this.#base;
    this.#stretch = stretch;
    this.#schedule = schedule;
    this.#startMs = performance.now();
    const mark = (index: number): Uint8Array =>
      markPayload(this.#payloads[index % this.#payloads.length] as Uint8Array, base + index);
    await sendAll(producer, schedule, { stretch, startMs: this.#startMs, mark });
    this.#base = base + schedule.total;
    return stretch;
  }
}

export async function runOpenLoop(driver: Driver, job: Job): Promise<JobAnswer> {
  if (job.workload.kind !== "latency") {
    throw new Error(`${job.workload.kind} is no open loop`);
  }
  const { ratePerSecond, recordBytes, content } = job.workload;
  await driver.createTopic();
  const producer = await driver.openProducer();
  const loop = new OpenLoop(createPayloads(content, recordBytes));
  const consumer = await driver.openConsumer({
    onValue: loop.onValue,
    onError: (error) => {
      loop.failure ??= error;
    },
  });
  const warmRate = Math.max(ratePerSecond, WARM_RATE);
  const warm = await loop.run(producer, evenSchedule(warmRate, job.warmUpSeconds));
  const meter = new Meter(job.serverPids);
  const stretch = await loop.run(producer, evenSchedule(ratePerSecond, job.seconds));
  const total = stretch.acknowledged;
  const produce = meter.end(total, total * recordBytes);
  if (loop.failure !== undefined) {
    throw loop.failure;
  }
  const [endToEndMs, acknowledgedMs] = [stretch.arrivedMs, stretch.acknowledgedMs].map(summarise);
  const stored = await driver.countRecords();
  await consumer.close();
  await producer.close();
  await driver.deleteTopic();
  return {
    produce,
    ...(endToEndMs === undefined ? {} : { endToEndMs }),
    ...(acknowledgedMs === undefined ? {} : { acknowledgedMs }),
    acknowledged: warm.acknowledged + total,
    stored,
    storedBy: "counting",
  };
}
