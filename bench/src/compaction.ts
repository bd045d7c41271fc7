// node bench/dist/compaction.js [--records N] [--keys N] [--seconds S] [--rate N] [--directory D] [--json]
//
// What compaction costs: N records (default 10 million, of 100 bytes) over a million keys are written to a compacted
// topic. Then a producer sends to another topic at a fixed rate (open loop: a late send counts from when it was due),
// for S seconds before and for as long as the cleaning takes; the two are compared. The broker is a process of its own;
// memory and CPU seconds are the operating system's (Linux). Progress goes to stderr.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Millrace } from "millrace";
import { BrokerProcess } from "./broker-process.js";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "10000000" },
    keys: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
    directory: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const records = Number(values.records);
const keys = Number(values.keys);
const baselineSeconds = Number(values.seconds);
const rate = Number(values.rate);

const TABLE = "table";
const LOAD = "load";
const BATCH = 1_000;
const IN_FLIGHT = 32;
const TICK_MS = 5;
const LOOK_INTERVAL_MS = 100;
const CLEANING_SECONDS_MAX = 600;
const value = "v".repeat(80);

interface Latencies {
  readonly sends: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const say = (text: string): boolean => process.stderr.write(`${text}\n`);

/** A permutation of the keys, so that neighbours in the log are not neighbours in the key space. */
const keyOf = (index: number): string => `key-${((index * 7_368_787) % keys).toString(36)}`;

async function fill(client: Millrace): Promise<number> {
  const producer = client.producer({ lingerMs: 5 });
  const startedAt = performance.now();
  const waiting: Promise<unknown>[] = [];
  for (let from = 0; from < records; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, records - from) }, (_, index) => ({
      topic: TABLE,
      partition: 0,
      key: keyOf(from + index),
      value,
    }));
    waiting.push(producer.send(batch));
    if (waiting.length >= IN_FLIGHT) {
      await waiting.shift();
    }
    if (from % 1_000_000 === 0) {
      say(`written: ${from / 1_000_000} of ${records / 1_000_000} million records`);
    }
  }
  await Promise.all(waiting);
  await producer.close();
  return (performance.now() - startedAt) / 1000;
}

/** Sends at the fixed rate until told to stop; latencies count from when each send was due. */
class OpenLoop {
  readonly #client: Millrace;
  #latencies: number[] = [];
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(client: Millrace) {
    this.#client = client;
    this.#done = this.#run();
  }

  /** Of the sends answered since the last call. */
  take(): Latencies {
    const sorted = Float64Array.from(this.#latencies).sort();
    this.#latencies = [];
    const at = (share: number): number => {
      const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
      return Number((sorted[index] ?? 0).toFixed(2));
    };
    return {
      sends: sorted.length,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      maxMs: at(1),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    const producer = this.#client.producer();
    const startedAt = performance.now();
    const answers = new Set<Promise<void>>();
    for (let sent = 0; !this.#isStopped; ) {
      const due = Math.floor(((performance.now() - startedAt) * rate) / 1000);
      for (; sent < due; sent++) {
        const dueAt = startedAt + (sent * 1000) / rate;
        const answer = producer.send({ topic: LOAD, key: `k${sent}`, value }).then(() => {
          this.#latencies.push(performance.now() - dueAt);
          answers.delete(answer);
        });
        answers.add(answer);
      }
      await sleep(TICK_MS);
    }
    await Promise.all(answers);
    await producer.close();
  }
}

interface Directory {
  readonly bytes: number;
  readonly segments: number;
  /** What the cleaner's checkpoint and its unfinished files say. */
  readonly isCleaning: boolean;
}

function look(broker: BrokerProcess): Directory {
  const path = join(broker.dataDirectory, `${TABLE}-0`);
  let bytes = 0;
  let segments = 0;
  let isCleaning = false;
  for (const name of readdirSync(path)) {
    isCleaning ||= /\.(cleaned|swap)$/.test(name);
    if (name.endsWith(".log")) {
      segments++;
      bytes += statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return { bytes, segments, isCleaning };
}

/** Resolves when the cleaning is over; calls back while it goes on. */
async function cleaned(broker: BrokerProcess, before: Directory): Promise<number> {
  const startedAt = performance.now();
  let quietSince = startedAt;
  let hasBegun = false;
  for (let looks = 0; ; looks++) {
    const seconds = (performance.now() - startedAt) / 1000;
    const now = look(broker);
    hasBegun ||= now.isCleaning || now.bytes < before.bytes;
    if (!hasBegun || now.isCleaning) {
      quietSince = performance.now();
    }
    // Between two segments there is a moment without an unfinished file.
    if (performance.now() - quietSince > 3_000) {
      return (quietSince - startedAt) / 1000;
    }
    if (seconds > CLEANING_SECONDS_MAX) {
      throw new Error("the cleaning does not end");
    }
    if (looks % 20 === 0) {
      const { residentMegabytes } = broker.figures();
      say(
        `cleaning: ${seconds.toFixed(0)} s, ${(now.bytes / 1e6).toFixed(0)} MB in ${now.segments} segments, resident ${residentMegabytes.toFixed(0)} MB`,
      );
    }
    await sleep(LOOK_INTERVAL_MS);
  }
}

await using broker = await BrokerProcess.start({
  parent: values.directory,
  config: { "log.cleaner.backoff.ms": "1000", "log.retention.check.interval.ms": "3600000" },
});
const client = new Millrace({ bootstrap: broker.url });
const admin = client.admin();
const segmentBytes = 64 * 1024 * 1024;
// Written as it is, and made a compacted topic when all is there: the cleaning has one beginning.
await admin.createTopic(TABLE, {
  config: { "segment.bytes": String(segmentBytes), "file.delete.delay.ms": "1000" },
});
await admin.createTopic(LOAD);
const writeSeconds = await fill(client);
const before = look(broker);
say(`written in ${writeSeconds.toFixed(1)} s; settling`);
await sleep(3_000);

const load = new OpenLoop(client);
await sleep(2_000);
load.take();
const idleFigures = broker.figures();
await sleep(baselineSeconds * 1000);
const latencyBefore = load.take();
const figuresBefore = broker.figures();
await admin.alterConfig(
  { topic: TABLE },
  { set: { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01" } },
);
const residentPeak = { megabytes: 0 };
const watch = setInterval(() => {
  const { residentMegabytes } = broker.figures();
  residentPeak.megabytes = Math.max(residentPeak.megabytes, residentMegabytes);
}, LOOK_INTERVAL_MS);
const beganAt = performance.now();
const cleaningSeconds = await cleaned(broker, before);
const latencyDuring = load.take();
const figuresAfter = broker.figures();
clearInterval(watch);
const watchedSeconds = (performance.now() - beganAt) / 1000;
await load.stop();
const after = look(broker);
await client.close();

const idleCpu = (figuresBefore.cpuSeconds - idleFigures.cpuSeconds) / baselineSeconds;
const report = {
  records,
  keys,
  recordsPerSecondWritten: Math.round(records / writeSeconds),
  cleaningSeconds: Number(cleaningSeconds.toFixed(1)),
  recordsPerSecondCleaned: Math.round(records / cleaningSeconds),
  cleaningCpuSeconds: Number(
    (figuresAfter.cpuSeconds - figuresBefore.cpuSeconds - idleCpu * watchedSeconds).toFixed(1),
  ),
  megabytesBefore: Math.round(before.bytes / 1e6),
  megabytesAfter: Math.round(after.bytes / 1e6),
  segmentsBefore: before.segments,
  segmentsAfter: after.segments,
  residentMegabytesBefore: Math.round(figuresBefore.residentMegabytes),
  residentMegabytesPeakDuring: Math.round(residentPeak.megabytes),
  rate,
  latencyBefore,
  latencyDuring,
};
if (values.json) {
  process.stdout.write(`${JSON.stringify(report)}\n`);
} else {
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
}
