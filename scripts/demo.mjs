// The demo: a real data set through a producer, a broker and a consumer, each a process of its own; the broker is
// killed with `kill -9` half way and started again; every record must come through once and in order.
//
//   npm run demo
//   npm run demo -- --input flights.csv --partitions 8 --rate max

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { silentLogger } from "@millrace/runtime";
import { Millrace } from "millrace";
import { readDataset } from "./demo/dataset.js";
import { killBroker, startBroker, startClient, stopAll, stopBroker } from "./demo/processes.js";
import { bold, count, dim, green, red, Screen, seconds, yellow } from "./demo/screen.js";
import { isPerfect } from "./demo/verdict.js";

const TOPIC = "flights";
/** How long the broker stays dead: long enough to see that everything waits. */
const DEAD_MS = 1_000;
/** How long the consumer listens on after the last record, for one that should not come. */
const QUIET_MS = 500;
/** Nothing new for so long, with all processes alive: something hangs. */
const STALL_MS = 30_000;

const usage = `usage: npm run demo -- [--input FILE] [--partitions N] [--rate RECORDS_PER_SECOND|max] [--limit N]

  --input       a JSON array, JSON lines, CSV or any other text with a record on each line
                (default: 200,000 flights of the vega-datasets package)
  --partitions  of the topic (default 4)
  --rate        how fast the producer sends (default 40000, so that there is something to watch)
  --limit       only the first N records`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      input: { type: "string" },
      partitions: { type: "string", default: "4" },
      rate: { type: "string", default: "40000" },
      limit: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const number = (name, text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) {
      throw new TypeError(`--${name} takes a number from 1 on, not ${text}`);
    }
    return value;
  };
  const packaged = () =>
    fileURLToPath(new URL("../node_modules/vega-datasets/data/flights-200k.json", import.meta.url));
  return {
    input: values.input === undefined ? packaged() : resolve(values.input),
    partitions: number("partitions", values.partitions),
    rate: values.rate === "max" ? 1e9 : number("rate", values.rate),
    limit: values.limit === undefined ? undefined : number("limit", values.limit),
  };
}

const screen = new Screen();
const state = { total: 1, acknowledged: 0, received: 0, broker: "" };
let directory;

async function cleanUp() {
  screen.stop({ keepsFrame: false });
  stopAll();
  if (directory !== undefined) {
    // The killed processes may still be closing files.
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    directory = undefined;
  }
}

let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, async () => {
    // Impatience must not cut the cleaning short: it takes a moment only.
    if (isInterrupted) {
      return;
    }
    isInterrupted = true;
    await cleanUp();
    console.log("interrupted; everything is cleaned up");
    process.exit(130);
  });
}

async function waitUntil(condition, failed) {
  let lastSum = -1;
  let lastChangeMs = performance.now();
  while (!condition()) {
    await Promise.race([sleep(20), failed]);
    const sum = state.acknowledged + state.received;
    if (sum !== lastSum) {
      lastSum = sum;
      lastChangeMs = performance.now();
    } else if (performance.now() - lastChangeMs > STALL_MS) {
      throw new Error(
        `nothing happened for ${STALL_MS / 1000} s: ${count(state.acknowledged)} records acknowledged, ${count(state.received)} of ${count(state.total)} received`,
      );
    }
  }
}

function printVerdict(consumed, stored, total) {
  const line = (label, value, isRight) =>
    console.log(`  ${isRight ? green("✓") : red("✗")} ${label.padEnd(44)} ${value}`);
  console.log("");
  line("records sent and acknowledged", count(state.acknowledged), state.acknowledged === total);
  line("records on the broker (end offsets)", count(stored), stored === total);
  line("records received, each by its id", count(consumed.distinct), consumed.distinct === total);
  line("lost", count(total - consumed.distinct), consumed.distinct === total);
  line("received twice", count(consumed.duplicated), consumed.duplicated === 0);
  line("out of order in their partition", count(consumed.outOfOrder), consumed.outOfOrder === 0);
  line("content different (SHA-256)", count(consumed.different), consumed.different === 0);
  line("never sent", count(consumed.unknown), consumed.unknown === 0);
  for (const problem of consumed.problems) {
    console.log(`    ${red(problem)}`);
  }
  console.log("");
}

/** The broker dies half way and comes back on the same port and directory. */
async function killAndRestart(broker) {
  const pid = broker.child.pid;
  const atKill = { ...state };
  await killBroker(broker);
  state.broker = red(`killed (pid ${pid})`);
  screen.event(
    `${red(`kill -9 ${pid}`)}: the broker is dead, ${count(atKill.acknowledged)} records acknowledged, ${count(atKill.received)} received`,
  );
  await sleep(DEAD_MS);
  state.broker = yellow("starting, recovering its logs");
  const restarted = await startBroker(join(directory, "data"), broker.port);
  state.broker = green(`running (pid ${restarted.child.pid})`);
  screen.event(
    `${green("restarted")} on port ${restarted.port} and the same directory in ${seconds(restarted.startMs)}, recovery included`,
  );
  return restarted;
}

async function replay(settings) {
  const result = await startClient("consumer", { ...settings, quietMs: 0 }, () => {}).done;
  return { ...result, perSecond: result.received / (result.elapsedMs / 1000) };
}

async function demo() {
  const options = readOptions();
  const total = readDataset(options.input, options.limit).length;
  state.total = total;
  directory = await mkdtemp(join(tmpdir(), "millrace-demo-"));
  console.log(
    `${bold("Millrace demo")}: ${count(total)} records of ${basename(options.input)}, a broker to be killed half way\n`,
  );

  let broker = await startBroker(join(directory, "data"));
  state.broker = green(`running (pid ${broker.child.pid})`);
  screen.event(`broker ${broker.url}, data in ${directory}, synced before it acknowledges`);
  const client = new Millrace({ bootstrap: broker.url, logger: silentLogger });
  const admin = client.admin();
  await admin.createTopic(TOPIC, { partitions: options.partitions });
  screen.event(`topic ${TOPIC} with ${options.partitions} partitions`);

  const settings = {
    url: broker.url,
    topic: TOPIC,
    input: options.input,
    limit: options.limit,
    rate: options.rate,
    quietMs: QUIET_MS,
  };
  const consumer = startClient("consumer", settings, (message) => {
    state.received = message.received ?? state.received;
  });
  const producer = startClient("producer", settings, (message) => {
    state.acknowledged = message.acknowledged ?? state.acknowledged;
  });
  screen.event(
    `producer (pid ${producer.child.pid}) and consumer (pid ${consumer.child.pid}) started ${dim(options.rate < 1e9 ? `paced to ${count(options.rate)} records/s` : "at full speed")}`,
  );
  screen.start(() => state);
  const failed = Promise.race([
    producer.done.then(() => new Promise(() => {})),
    consumer.done.then(() => new Promise(() => {})),
  ]);
  failed.catch(() => {});

  await waitUntil(() => state.acknowledged >= total / 2, failed);
  broker = await killAndRestart(broker);
  await waitUntil(() => state.acknowledged >= total, failed);
  const produced = await producer.done;
  screen.event(`producer is done: ${count(state.acknowledged)} records acknowledged`);
  const consumed = await consumer.done;
  state.received = consumed.received;
  screen.stop();

  const offsets = await admin.listOffsets(TOPIC, "latest");
  const stored = offsets.reduce((sum, entry) => sum + entry.offset, 0);
  const replayed = await replay(settings);
  await client.close();
  await stopBroker(broker);

  printVerdict(consumed, stored, total);
  console.log(
    `  ${bold("rates")}  produced ${count(total / (produced.elapsedMs / 1000))} records/s (kill and recovery included), read again from disk ${count(replayed.perSecond)} records/s`,
  );
  console.log(
    `  partitions hold ${Object.values(consumed.perPartition).map(count).join(", ")} records\n`,
  );
  return isPerfect(consumed, total) && isPerfect(replayed, total) && stored === total;
}

let isFine = false;
try {
  isFine = await demo();
} catch (error) {
  screen.stop({ keepsFrame: false });
  if (!isInterrupted) {
    console.error(`${red("error:")} ${error instanceof Error ? error.message : error}`);
  }
} finally {
  await cleanUp();
}
if (!isInterrupted) {
  console.log(
    isFine
      ? green("Every record came through once and in order.")
      : red("The demo found a mismatch or failed; see above."),
  );
  process.exitCode = isFine ? 0 : 1;
}
