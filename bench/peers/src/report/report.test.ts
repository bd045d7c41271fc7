import { describe, expect, it } from "vitest";
import type { Phase } from "../job.js";
import { emptyResults, type Measurement, type Results, record } from "../results.js";
import { aheadText, leadsOf } from "./ahead.js";
import { documentOf } from "./document.js";
import { allSeries, figureOf, figures } from "./figures.js";
import { cell, number, table, winner } from "./tables.js";
import { targetsOf } from "./targets.js";

const machine = {
  cpu: "a CPU",
  cores: 2,
  memoryBytes: 24e9,
  kernel: "Linux 6",
  fileSystem: "ext4 (rw)",
  node: "v20.0.0",
};
const at = "2026-01-01T00:00:00Z";
const latency = (ms: number) => ({ count: 1, p50: ms, p99: 2 * ms, p999: 3 * ms, max: 4 * ms });

function phase(recordsPerSecond: number, cpuSeconds = 1): Phase {
  return {
    records: recordsPerSecond,
    bytes: recordsPerSecond * 100,
    seconds: 1,
    clientCpuSeconds: cpuSeconds,
    serverCpuSeconds: cpuSeconds,
  };
}

function measured(
  series: `${string}/${string}`,
  workload: string,
  answer: Partial<NonNullable<Measurement["answer"]>>,
  run = 1,
): Measurement {
  const [client = "", durability = ""] = series.split("/");
  const whole = { acknowledged: 1, stored: 1, storedBy: "reading", ...answer } as const;
  return { client, durability, workload, run, at, answer: whole };
}

function resultsOf(...measurements: Measurement[]): Results {
  const results = emptyResults(machine);
  for (const measurement of measurements) {
    record(results, measurement);
  }
  return results;
}

const produced = (series: `${string}/${string}`, rate: number, run = 1): Measurement =>
  measured(series, "produce-100b", { produce: phase(rate) }, run);

describe("figures", () => {
  it("are medians over the runs, and absent where nothing was measured", () => {
    const results = resultsOf(
      produced("redis/strict", 300, 1),
      produced("redis/strict", 100, 2),
      produced("redis/strict", 200, 3),
    );
    const of = (durability: string) =>
      figureOf(results, { client: "redis", durability }, "produce-100b", figures.producedPerSecond);
    expect(of("strict")).toEqual({ min: 100, median: 200, max: 300, runs: 3 });
    expect(of("default")).toBeUndefined();
  });

  it("count CPU per million records, client and server apart, and per second of both together", () => {
    const one = produced("redis/strict", 500_000);
    expect(figures.produceClientCpu(one)).toBe(2);
    expect(figures.produceServerCpu(one)).toBe(2);
    expect(figures.producedPerCpuSecond(one)).toBe(250_000);
  });

  it("make no rate of a stretch that was too short to say anything", () => {
    const short = { ...phase(1_000), seconds: 0.001 };
    expect(figures.readPerSecond(measured("nats/strict", "produce-100b", { consume: short }))).toBe(
      undefined,
    );
  });
});

describe("a table", () => {
  const column = {
    title: "records/s",
    label: "records/s",
    workload: "produce-100b",
    figure: figures.producedPerSecond,
    best: "highest",
  } as const;

  it("has the best figure in bold, whoever has it", () => {
    const results = resultsOf(produced("millrace/sync", 100), produced("redis/strict", 900));
    const lines = table(results, allSeries(true), [column]).split("\n");
    expect(lines.find((line) => line.includes("Redis"))).toContain("**900**");
    expect(lines.find((line) => line.includes("Millrace"))).not.toContain("**");
  });

  it("leaves out rows without figures, and is empty without any", () => {
    const results = resultsOf(produced("millrace/sync", 100));
    expect(table(results, allSeries(true), [column])).not.toContain("Redis");
    expect(table(resultsOf(), allSeries(), [column])).toBe("");
  });

  it("shows the spread where runs differ", () => {
    expect(cell({ min: 1_234_567, median: 1_300_000, max: 1_400_000, runs: 3 })).toBe(
      "1,300,000 (1,230,000 to 1,400,000)",
    );
    expect(cell({ min: 1.5, median: 1.5, max: 1.5, runs: 3 })).toBe("1.5");
    expect([0, 0.012345, 99.94, 123.4, 1_234.5].map(number)).toEqual([
      "0",
      "0.0123",
      "99.9",
      "123",
      "1,230",
    ]);
  });

  it("crowns nobody who runs alone", () => {
    const one = { min: 1, median: 1, max: 1, runs: 1 };
    const two = { ...one, median: 2 };
    expect(winner([one, undefined], "highest")).toBeUndefined();
    expect(winner([one, undefined, two], "highest")).toBe(2);
    expect(winner([one, undefined, two], "lowest")).toBe(0);
  });
});

describe("a cell without a figure", () => {
  const wanted = (workload: string) => ({
    title: workload,
    label: workload,
    workload,
    figure: figures.producedPerSecond,
    best: "highest" as const,
  });

  it("says why, under the table", () => {
    const results = resultsOf(
      produced("kafkajs/default", 100),
      produced("kafka-perf/default", 100),
      measured("kafkajs/default", "idle", { produce: { ...phase(5), seconds: 0.001 } }),
    );
    record(results, {
      ...measured("kafkajs/default", "awaited", {}),
      answer: undefined as never,
      failure: "it ended",
    });
    const columns = ["produce-100b", "compress-json-lz4", "idle", "awaited", "partitions-10"];
    const text = table(results, allSeries(false), columns.map(wanted));
    expect(text).toContain("| Kafka, kafkajs | 100 | – | *short* | *failed* | *not run* |");
    expect(text).toContain("the client has no lz4 (Kafka, kafkajs)");
    expect(text).toContain("the tool has no such workload (Kafka, its perf tools)");
    expect(text).toContain("*not run*: not in these rounds.");
  });

  it("needs no words where there is none", () => {
    const results = resultsOf(produced("kafkajs/default", 100), produced("redis/default", 50));
    const text = table(results, allSeries(false), [wanted("produce-100b")]);
    expect(text.trimEnd().split("\n")).toHaveLength(4);
  });
});

describe("where a peer is ahead", () => {
  it("names every column that somebody else leads, among those who promise the same", () => {
    const results = resultsOf(
      produced("millrace/sync", 400),
      produced("millrace/os", 500),
      produced("redis/strict", 300),
      produced("redis/default", 900),
    );
    const rates = leadsOf(results).filter(({ what }) => what.includes("100 B, records/s"));
    expect(rates).toMatchObject([
      { what: "Produce, batched: 100 B, records/s", promise: "not synced", theirs: "900" },
    ]);
    expect(aheadText(results)).toContain("| Redis Streams, ioredis | 900 | 500 |");
    // Rates and two kinds of CPU, for each promise; with equal CPU seconds more records are less CPU for each.
    expect(aheadText(results)).toContain(
      "Of 6 columns that compare Millrace with peers, it is the best in 3.",
    );
  });

  it("marks where the rounds of both overlap", () => {
    const rounds = (series: `${string}/${string}`, rates: readonly number[]): Measurement[] =>
      rates.map((rate, index) => produced(series, rate, index + 1));
    const close = resultsOf(
      ...rounds("millrace/sync", [100, 200, 400]),
      ...rounds("redis/strict", [300, 300, 300]),
    );
    expect(aheadText(close)).toContain("200 (100 to 400) \\* |");
    const apart = resultsOf(
      ...rounds("millrace/sync", [100, 200, 250]),
      ...rounds("redis/strict", [300, 300, 300]),
    );
    expect(aheadText(apart)).not.toContain("\\*");
  });

  it("is empty when nobody is", () => {
    expect(aheadText(resultsOf(produced("millrace/sync", 1)))).toBe("Nowhere in these tables.\n");
  });
});

describe("targets", () => {
  const verdict = (results: Results, words: string) =>
    targetsOf(results).find(({ what }) => what.includes(words));

  it("compare with the stronger of Kafka's Java clients", () => {
    const results = resultsOf(
      produced("millrace/sync", 400),
      produced("kafka-java/strict", 150),
      produced("kafka-perf/strict", 250),
    );
    const target = verdict(results, "Java client, synced");
    expect(target).toMatchObject({ figure: 1.6, passes: false });
  });

  it("compare what promises the same", () => {
    const results = resultsOf(
      produced("millrace/sync", 500),
      produced("millrace/os", 900),
      produced("kafkajs/strict", 100),
      produced("kafkajs/default", 300),
    );
    expect(verdict(results, "both synced: to kafkajs")).toMatchObject({ figure: 5, passes: true });
    expect(verdict(results, "neither synced: to kafkajs")).toMatchObject({
      figure: 3,
      passes: false,
    });
  });

  it("measure a single record against the bare disk and the bare socket beside it", () => {
    const one = measured("millrace/sync", "awaited", {
      produce: { ...phase(1), latencyMs: latency(0.5) },
    });
    const results = resultsOf({ ...one, beside: { syncMs: latency(0.3), echoMs: latency(0.1) } });
    const target = verdict(results, "Awaited, synced");
    expect(target?.figure).toBeCloseTo(1);
    expect(target?.passes).toBe(true);
  });

  it("judge the disk back to back as the targets are worded, and show the paced one beside it", () => {
    const one = measured("millrace/sync", "latency-10000", { endToEndMs: latency(3) });
    const beside = { syncMs: latency(0.5), pacedSyncMs: latency(1) };
    const results = resultsOf({ ...one, beside });
    expect(verdict(results, "back to back")).toMatchObject({ figure: 6, passes: false });
    const paced = verdict(results, "one every millisecond");
    expect(paced).toMatchObject({ figure: 3, isInformation: true });
    expect(documentOf(results, { plots: [], resultFile: "x" })).toMatch(
      /one every millisecond.*\| 3 \| for information \|/,
    );
  });

  it("hold an idle topic against two round trips and two appends", () => {
    const one = measured("millrace/sync", "idle", { endToEndMs: latency(1.5) });
    const beside = { syncMs: latency(0.5), echoMs: latency(0.25) };
    expect(verdict(resultsOf({ ...one, beside }), "Idle topic")).toMatchObject({
      figure: 1,
      passes: true,
    });
  });

  it("take each part of the load against the disk around it, and the median of the rounds", () => {
    const part = (megabytesPerSecond: number, disk: number) => ({
      megabytesPerSecond,
      diskBefore: disk,
      diskAfter: disk,
    });
    const run = (ratio: number, number: number): Measurement =>
      measured(
        "millrace/sync",
        "beside-disk",
        { diskParts: [part(ratio * 1_000, 1_000), part(ratio * 200, 200), part(1, 1_000)] },
        number,
      );
    const target = verdict(resultsOf(run(0.9, 1), run(0.7, 2), run(0.8, 3)), "diskRatio");
    expect(target).toMatchObject({ figure: 0.8, passes: true });
    expect(target?.spread).toMatchObject({ min: 0.7, max: 0.9, runs: 3 });
  });

  it("judge reading by the CPU of client and server together, and show the client's beside it", () => {
    const read = (series: `${string}/${string}`, server: number): Measurement =>
      measured(series, "produce-100b", { consume: { ...phase(1_000), serverCpuSeconds: server } });
    const results = resultsOf(read("millrace/sync", 1), read("platformatic/default", 5));
    expect(verdict(results, "client and server")).toMatchObject({ figure: 3, passes: true });
    expect(verdict(results, "client alone")).toMatchObject({ figure: 1, isInformation: true });
  });

  it("take the slowest of 1, 2, 4 and 8 partitions, and judge nothing that was not measured", () => {
    const spreads = [1, 2, 4, 8].map((count, index) =>
      measured("millrace/sync", `partitions-${count}`, { produce: phase(1_000 - 100 * index) }),
    );
    expect(verdict(resultsOf(...spreads), "per CPU second, the least")?.figure).toBeCloseTo(0.7);
    expect(verdict(resultsOf(...spreads.slice(1)), "per CPU second, the least")).toMatchObject({
      figure: undefined,
      passes: undefined,
    });
  });

  it("hold the broker to its highest memory in any workload", () => {
    const small = { ...produced("millrace/sync", 1), serverPeakBytes: 100e6 };
    const large = { ...measured("millrace/os", "idle", {}), serverPeakBytes: 300e6 };
    expect(verdict(resultsOf(small, large), "Most memory")).toMatchObject({
      figure: 300,
      passes: false,
    });
  });
});

describe("the document", () => {
  it("names what failed and what could not be measured", () => {
    const results = resultsOf(produced("millrace/sync", 100));
    record(results, {
      client: "nats",
      durability: "strict",
      workload: "idle",
      run: 2,
      at,
      failure: "5 records were acknowledged, 4 are stored",
    });
    results.unavailable["confluent"] = "it does not install here";
    const text = documentOf(results, { plots: [], resultFile: "x.json" });
    expect(text).toContain(
      "`nats`, strict, idle, run 2: `5 records were acknowledged, 4 are stored`",
    );
    expect(text).toContain("it does not install here");
    expect(text).toContain("a CPU, 2 cores");
    expect(text).toContain("## Produce, batched");
    expect(text).not.toContain("## Partitions");
  });
});
