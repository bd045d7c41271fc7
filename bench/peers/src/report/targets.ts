// The targets that Millrace set itself, as ratios of one run's figures, each computed from the results. Ratios to a peer
// are of the medians over the rounds; ratios to the disk and the socket by themselves are taken in each round, against
// what was measured beside the load, and shown with their spread. Pure.

import type { Results } from "../results.js";
import { type Spread, spread } from "../statistics.js";
import { IDLE_GAP_MS } from "../workloads.js";
import { type Figure, figureOf, figures, highest, type Series } from "./figures.js";

export interface Target {
  readonly what: string;
  /** At least, or at most. */
  readonly target: string;
  /** undefined: not measured. */
  readonly figure: number | undefined;
  /** Where the figure is a median over the rounds. */
  readonly spread?: Spread | undefined;
  readonly passes: boolean | undefined;
  /** No target of its own: the same in other terms, for who asks. */
  readonly isInformation?: boolean;
}

const sync: Series = { client: "millrace", durability: "sync" };
const os: Series = { client: "millrace", durability: "os" };
const javaClients = ["kafka-java", "kafka-perf"] as const;
const javascriptClients = ["kafkajs", "platformatic", "confluent"] as const;
/** How far throughput per CPU second may fall from one partition to eight and still be called flat. */
const FLAT = 0.8;

class Lookup {
  readonly #results: Results;

  constructor(results: Results) {
    this.#results = results;
  }

  median(series: Series, workload: string, figure: Figure): number | undefined {
    return figureOf(this.#results, series, workload, figure)?.median;
  }

  /** The best of several clients: a peer is represented by its strongest. */
  best(
    names: readonly string[],
    durability: string,
    { workload, figure, by }: { workload: string; figure: Figure; by: "highest" | "lowest" },
  ): number | undefined {
    const all = names
      .map((client) => this.median({ client, durability }, workload, figure))
      .filter((value) => value !== undefined);
    const { min, max } = spread(all) ?? {};
    return by === "highest" ? max : min;
  }

  spread(series: Series, workload: string, figure: Figure): Spread | undefined {
    return figureOf(this.#results, series, workload, figure);
  }

  highest(series: Series, figure: Figure): number | undefined {
    return highest(this.#results, series, figure);
  }
}

const divide = (left: number | undefined, right: number | undefined): number | undefined =>
  left === undefined || right === undefined || right === 0 ? undefined : left / right;

type Measured = number | Spread | undefined;

function judged(
  what: string,
  { words, limit, unit }: { words: "at least" | "at most"; limit: number; unit: string },
  measured: Measured,
): Target {
  const figure = typeof measured === "number" ? measured : measured?.median;
  const isGood =
    words === "at least" ? (one: number) => one >= limit : (one: number) => one <= limit;
  return {
    what,
    target: `${words} ${limit.toLocaleString("en")} ${unit}`,
    figure,
    ...(typeof measured === "number" ? {} : { spread: measured }),
    passes: figure === undefined ? undefined : isGood(figure),
  };
}

const atLeast = (what: string, limit: number, measured: Measured, unit = "x"): Target =>
  judged(what, { words: "at least", limit, unit }, measured);

const atMost = (what: string, limit: number, measured: Measured, unit = "x"): Target =>
  judged(what, { words: "at most", limit, unit }, measured);

const forInformation = (target: Target): Target => ({ ...target, isInformation: true });

function produceTargets(lookup: Lookup): Target[] {
  const workload = "produce-100b";
  const figure = figures.producedPerSecond;
  const synced = lookup.median(sync, workload, figure);
  const unsynced = lookup.median(os, workload, figure);
  const java = (durability: string): number | undefined =>
    lookup.best(javaClients, durability, { workload, figure, by: "highest" });
  const one = (client: string, durability: string): number | undefined =>
    lookup.median({ client, durability }, workload, figure);
  const name = "Produce, 100 B batched";
  return [
    atLeast(`${name}, synced: to Kafka's Java client, synced`, 2, divide(synced, java("strict"))),
    atLeast(
      `${name}, synced: to Kafka's Java client, not synced`,
      1,
      divide(synced, java("default")),
    ),
    atLeast(`${name}, both synced: to kafkajs`, 5, divide(synced, one("kafkajs", "strict"))),
    atLeast(`${name}, neither synced: to kafkajs`, 5, divide(unsynced, one("kafkajs", "default"))),
    atLeast(
      `${name}, both synced: to @platformatic/kafka`,
      3,
      divide(synced, one("platformatic", "strict")),
    ),
    atLeast(
      `${name}, neither synced: to @platformatic/kafka`,
      3,
      divide(unsynced, one("platformatic", "default")),
    ),
    atLeast(`${name}, both synced: to Redis Streams`, 10, divide(synced, one("redis", "strict"))),
    atLeast(`${name}, both synced: to NATS JetStream`, 10, divide(synced, one("nats", "strict"))),
    atLeast(`${name}, synced`, 1_000_000, synced, "records/s"),
    atLeast(
      "Produce, 1 KiB batched, synced: to the disk by itself, in turns (`diskRatio`)",
      0.8,
      lookup.spread(sync, "beside-disk", figures.diskRatio),
    ),
  ];
}

function awaitedTargets(lookup: Lookup): Target[] {
  return [
    atMost(
      "Awaited, synced, p50: to a bare write and `fdatasync` plus two bare `ws` round trips (p50)",
      1,
      lookup.spread(sync, "awaited", figures.awaitedToBare),
    ),
    atLeast(
      "Awaited, `flush=os`: to the rate of bare `ws` round trips",
      0.5,
      lookup.spread(os, "awaited", figures.awaitedRateToEcho),
    ),
  ];
}

function consumeTargets(lookup: Lookup): Target[] {
  const workload = "produce-100b";
  const fastest = (figure: Figure): number | undefined =>
    lookup.best(javascriptClients, "default", { workload, figure, by: "highest" });
  const ours = (figure: Figure): number | undefined => lookup.median(sync, workload, figure);
  const { readPerSecond, readPerCpuSecond, readPerClientCpuSecond } = figures;
  return [
    atLeast(
      "Catch-up read, 100 B: to the fastest JavaScript client against Kafka",
      2,
      divide(ours(readPerSecond), fastest(readPerSecond)),
    ),
    atLeast(
      "Catch-up read, 100 B, per CPU second of client and server: to the best of those",
      2,
      divide(ours(readPerCpuSecond), fastest(readPerCpuSecond)),
    ),
    forInformation(
      atLeast(
        "the same, per CPU second of the client alone",
        2,
        divide(ours(readPerClientCpuSecond), fastest(readPerClientCpuSecond)),
      ),
    ),
  ];
}

function latencyTargets(lookup: Lookup): Target[] {
  const workload = "latency-10000";
  const figure = figures.endToEndP99;
  const ours = lookup.median(sync, workload, figure);
  const kafka = (durability: string): number | undefined =>
    lookup.best([...javaClients, ...javascriptClients], durability, {
      workload,
      figure,
      by: "lowest",
    });
  const name = "End to end at 10,000 records/s, p99";
  const idleName =
    "Idle topic, p99, synced: to two bare `ws` round trips and two writes with `fdatasync` (p99)";
  return [
    atMost(
      `${name}, synced: to one write and \`fdatasync\` (p99), back to back`,
      5,
      lookup.spread(sync, workload, figures.endToEndToSync),
    ),
    forInformation(
      atMost(
        "the same, to one every millisecond, as the load has them",
        5,
        lookup.spread(sync, workload, figures.endToEndToPacedSync),
      ),
    ),
    atMost(`${name}, both synced: to Kafka's best client`, 1, divide(ours, kafka("strict"))),
    atMost(
      `${name}, synced: to Kafka's best client, not synced`,
      1,
      divide(ours, kafka("default")),
    ),
    atMost(`${idleName}, back to back`, 1, lookup.spread(sync, "idle", figures.idleToBare)),
    forInformation(
      atMost(
        `the same, to one every ${IDLE_GAP_MS} ms, as the load has them`,
        1,
        lookup.spread(sync, "idle", figures.idleToPacedBare),
      ),
    ),
  ];
}

function resourceTargets(lookup: Lookup): Target[] {
  const perCpu = [1, 2, 4, 8].map((count) =>
    lookup.median(sync, `partitions-${count}`, figures.producedPerCpuSecond),
  );
  const known = perCpu.filter((value) => value !== undefined);
  const lowest = known.length === perCpu.length ? Math.min(...known) : undefined;
  const peaks = [sync, os]
    .map((series) => lookup.highest(series, figures.peakMegabytes))
    .filter((value) => value !== undefined);
  return [
    atMost(
      "1,000 idle connections: memory of the broker",
      50,
      lookup.median(sync, "connections-1000", figures.connectionMegabytes),
      "MB",
    ),
    atLeast(
      "Throughput per CPU second, the least of 1, 2, 4 and 8 partitions: to one partition",
      FLAT,
      divide(lowest, perCpu[0]),
    ),
    atMost("Most memory of the broker in all of it", 250, spread(peaks)?.max, "MB"),
  ];
}

export function targetsOf(results: Results): Target[] {
  const lookup = new Lookup(results);
  return [
    ...produceTargets(lookup),
    ...awaitedTargets(lookup),
    ...consumeTargets(lookup),
    ...latencyTargets(lookup),
    ...resourceTargets(lookup),
  ];
}
