// node bench/dist/targets.js [--rounds 5] [--json] [--directory D] [--cli MAIN] [--only WORD] [--broker-flag F]
//
// The project's aims for latency, small batches, connections and memory, each as a ratio to a baseline that is measured in
// the same run, in slices that take turns: an append with `fdatasync`, a bare `ws` round trip, and the two together, which
// is the least a server in Node.js can do. The servers are processes of their own; this one is the client. `--only` takes one of: awaited, os, rate, idle,
// connections, partitions. Exits with 0 whether or not an aim is met: the figures are the result. Linux.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Millrace, type Producer } from "millrace";
import { BrokerProcess, cpuSeconds } from "./broker-process.js";
import { Echo } from "./echo.js";
import { type IdleConnectionsResult, measureIdleConnections } from "./idle-connections.js";
import { Latencies, timeOneByOne } from "./latencies.js";
import { RawAppend } from "./raw-append.js";
import { bareAtRate, ReadAlong } from "./targets-latency.js";
import { measureSpread, type PartitionsRow } from "./targets-partitions.js";
import { type Aim, judge, printReport } from "./targets-report.js";

const RECORD_BYTES = 100;
const RATE = 10_000;
const SLICE_MS = 1_000;
const BASELINE_SLICE_MS = 400;
const RATE_SLICE_MS = 3_000;
const IDLE_SLICE_MS = 4_000;
const IDLE_EVERY_MS = 100;
const CONNECTIONS = 1_000;
/** One at a time; it takes V8 some ten thousand to compile all that a send goes through, on both sides. */
const WARM_OPERATIONS = 20_000;
const SPREAD = [1, 2, 4, 8];
const SPREAD_RECORDS = { 100: 500_000, 1024: 150_000 } as const;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    directory: { type: "string" },
    cli: { type: "string" },
    "broker-flag": { type: "string", multiple: true, default: [] },
  },
});
const isWanted = (part: string): boolean => values.only === undefined || values.only === part;
const progress = (text: string): void => void process.stderr.write(`${text}\n`);

/** What each kind took, over all slices. */
const measured = {
  rawAppend: new Latencies(),
  rawSync: new Latencies(),
  echo: new Latencies(),
  awaited: new Latencies(),
  awaitedOs: new Latencies(),
  rate: new Latencies(),
  idle: new Latencies(),
  idleEcho: new Latencies(),
  idleSync: new Latencies(),
  idleAppend: new Latencies(),
  bareAwaited: new Latencies(),
  bareRate: new Latencies(),
  bareIdle: new Latencies(),
  pacedSync: new Latencies(),
  pacedAppend: new Latencies(),
};
type Measured = typeof measured;

/** The server's and own CPU, microseconds for each operation of a kind. */
const cpu = new Map<string, { broker: number; client: number; operations: number }>();

interface Scene {
  readonly client: Millrace;
  readonly broker: BrokerProcess;
  readonly echo: Echo;
  /** Appends and syncs what it echoes, and does nothing else. */
  readonly bare: Echo;
  readonly raw: RawAppend;
}

/** `work` returns how many operations it did with the server. */
async function counted(
  server: { readonly pid: number },
  name: string,
  work: () => Promise<number>,
): Promise<void> {
  const broker = cpuSeconds(server.pid);
  const client = cpuSeconds(process.pid);
  const operations = await work();
  const sum = cpu.get(name) ?? { broker: 0, client: 0, operations: 0 };
  sum.broker += cpuSeconds(server.pid) - broker;
  sum.client += cpuSeconds(process.pid) - client;
  sum.operations += operations;
  cpu.set(name, sum);
}

async function awaitedSlice(
  scene: Scene,
  { name, latencies }: { name: string; latencies: Latencies },
  { producer, topic }: { producer: Producer; topic: string },
): Promise<void> {
  const record = { topic, value: new Uint8Array(RECORD_BYTES).fill(0x76) };
  await counted(scene.broker, name, async () => {
    const before = latencies.count;
    await timeOneByOne(latencies, SLICE_MS, () => producer.send(record));
    return latencies.count - before;
  });
}

/** A record, an echo, an echo with a sync and an append, each every 100 ms and none while another is on its way. */
async function idleSlice(scene: Scene, along: ReadAlong): Promise<void> {
  const message = new Uint8Array(RECORD_BYTES);
  const end = performance.now() + IDLE_SLICE_MS;
  while (performance.now() < end) {
    along.send();
    await sleep(IDLE_EVERY_MS / 4);
    const asked = performance.now();
    await scene.echo.roundTrip(message);
    measured.idleEcho.add(performance.now() - asked);
    await sleep(IDLE_EVERY_MS / 4);
    const askedBare = performance.now();
    await scene.bare.roundTrip(message);
    measured.bareIdle.add(performance.now() - askedBare);
    await sleep(IDLE_EVERY_MS / 4);
    scene.raw.once({ appendAndSync: measured.idleAppend, sync: measured.idleSync });
    await sleep(IDLE_EVERY_MS / 4);
  }
  await along.caughtUp();
}

async function measureLatencies(scene: Scene): Promise<void> {
  const { client, echo, bare, raw } = scene;
  const admin = client.admin();
  await admin.createTopic("synced", { partitions: 1 });
  await admin.createTopic("os", { partitions: 1, config: { flush: "os" } });
  const producer = client.producer();
  await producer.send([
    { topic: "synced", value: "warm" },
    { topic: "os", value: "warm" },
  ]);
  await using rate = await ReadAlong.start(client, "rate", measured.rate);
  await using idle = await ReadAlong.start(client, "idle", measured.idle);
  const message = new Uint8Array(RECORD_BYTES);
  progress("warming up");
  for (let sent = 0; sent < WARM_OPERATIONS; sent++) {
    await producer.send({ topic: sent % 4 === 0 ? "synced" : "os", value: message });
    await bare.roundTrip(message);
    await echo.roundTrip(message);
  }
  await rate.atRate(RATE, RATE_SLICE_MS, undefined);
  for (let round = 1; round <= Number(values.rounds); round++) {
    progress(`round ${round} of ${values.rounds}`);
    await raw.slice(
      { appendAndSync: measured.rawAppend, sync: measured.rawSync },
      BASELINE_SLICE_MS,
    );
    await timeOneByOne(measured.echo, BASELINE_SLICE_MS, () => echo.roundTrip(message));
    if (isWanted("awaited")) {
      await counted(bare, "bareAwaited", async () => {
        const before = measured.bareAwaited.count;
        await timeOneByOne(measured.bareAwaited, SLICE_MS, () => bare.roundTrip(message));
        return measured.bareAwaited.count - before;
      });
      const kind = { name: "awaited", latencies: measured.awaited };
      await awaitedSlice(scene, kind, { producer, topic: "synced" });
    }
    if (isWanted("os")) {
      const kind = { name: "os", latencies: measured.awaitedOs };
      await awaitedSlice(scene, kind, { producer, topic: "os" });
    }
    if (isWanted("rate")) {
      // As often as the load's records leave.
      const paced = { appendAndSync: measured.pacedAppend, sync: measured.pacedSync };
      await raw.slice(paced, SLICE_MS, 1);
      const load = { perSecond: RATE, sliceMs: RATE_SLICE_MS };
      await counted(bare, "bareRate", async () => {
        await bareAtRate(bare, load, measured.bareRate);
        return (RATE * RATE_SLICE_MS) / 1000;
      });
      await counted(scene.broker, "rate", async () => {
        await rate.atRate(RATE, RATE_SLICE_MS, measured.rate);
        return (RATE * RATE_SLICE_MS) / 1000;
      });
    }
    if (isWanted("idle")) {
      await idleSlice(scene, idle);
    }
  }
  await producer.close();
}

async function measurePartitions(scene: Scene): Promise<PartitionsRow[]> {
  const rows: PartitionsRow[] = [];
  for (const recordBytes of [100, 1024] as const) {
    for (const partitions of SPREAD) {
      progress(`${recordBytes} B over ${partitions} partitions`);
      const load = { recordBytes, partitions, records: SPREAD_RECORDS[recordBytes] };
      rows.push(await measureSpread(scene.client, scene.broker.pid, load));
    }
  }
  return rows;
}

async function main(): Promise<void> {
  let partitions: PartitionsRow[] = [];
  let connections: IdleConnectionsResult | undefined;
  let peakMegabytes = 0;
  {
    await using broker = await BrokerProcess.start({
      parent: values.directory,
      cli: values.cli,
      nodeFlags: values["broker-flag"],
    });
    using echo = await Echo.start();
    using bare = await Echo.start(join(broker.dataDirectory, `bare-log-${process.pid}`));
    using raw = new RawAppend(broker.dataDirectory, RECORD_BYTES);
    const client = new Millrace(broker.url);
    const scene = { client, broker, echo, bare, raw };
    if (values.only !== "connections" && values.only !== "partitions") {
      await measureLatencies(scene);
    }
    if (isWanted("partitions")) {
      partitions = await measurePartitions(scene);
    }
    await client.close();
    peakMegabytes = broker.figures().peakResidentMegabytes;
  }
  if (isWanted("connections")) {
    progress(`${CONNECTIONS} idle connections`);
    connections = await measureIdleConnections({ connections: CONNECTIONS, cli: values.cli });
    peakMegabytes = Math.max(peakMegabytes, connections.peakMegabytes);
  }
  const latencies = Object.fromEntries(
    Object.entries(measured).map(([name, kind]) => [name, kind.summary()]),
  ) as Record<keyof Measured, ReturnType<Latencies["summary"]>>;
  const aims: Aim[] = judge({ latencies, partitions, connections, peakMegabytes });
  const cpuMicros = [...cpu].map(([name, { broker, client, operations }]) => ({
    name,
    broker: (broker * 1e6) / operations,
    client: (client * 1e6) / operations,
  }));
  const report = { aims, latencies, cpuMicros, partitions, connections, peakMegabytes };
  if (values.json) {
    console.log(JSON.stringify(report));
  } else {
    printReport(report);
  }
}

await main();
