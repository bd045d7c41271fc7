import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, millrace, type RunOptions, startBroker } from "./millrace.js";

let directory = "";
let broker: Broker;

/** With `--bootstrap` of the broker under test. */
const run = (parameters: readonly string[], options: RunOptions = {}) =>
  millrace(parameters, { ...options, env: { MILLRACE_BOOTSTRAP: broker.url, ...options.env } });

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `k${index % 7},value ${index}\n`).join("");

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-cli-"));
  broker = await startBroker(join(directory, "data"));
});

afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

describe("millrace start", () => {
  it("prints exactly one line of JSON when it serves, and ends with 0 on SIGTERM", async () => {
    const own = await startBroker(join(directory, "own"));
    expect(await own.stop()).toBe(0);
    const printed = own.stdout().split("\n");
    expect(printed).toHaveLength(2);
    expect(JSON.parse(printed[0] ?? "")).toMatchObject({ event: "listening", url: own.url });
  });

  it("refuses a data directory in use with exit code 73", async () => {
    const result = await millrace(["start", "--port", "0", "--data-dir", join(directory, "data")]);
    expect(result.code).toBe(73);
    expect(result.stdout).toBe("");
    expect(result.stderr).toMatch(/error: /);
  });

  it("refuses a port in use with exit code 69 and says what to do", async () => {
    const port = new URL(broker.url).port;
    const result = await millrace(["start", "--port", port, "--data-dir", join(directory, "port")]);
    expect(result.code).toBe(69);
    expect(result.stderr).toContain("--port");
  });

  it("refuses an option that cannot be with exit code 64", async () => {
    expect((await millrace(["start", "--port", "seventy"])).code).toBe(64);
  });
});

describe("millrace topics", () => {
  it("creates, lists, describes and deletes", async () => {
    const created = await run([
      "topics",
      "create",
      "orders",
      "-p",
      "3",
      "-c",
      "retention.ms=86400000",
    ]);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    expect(created.stdout).toContain("Created topic orders (3 partitions");
    const listed = await run(["topics", "list", "--json"]);
    expect(JSON.parse(listed.stdout)).toContainEqual(
      expect.objectContaining({ name: "orders", partitions: 3 }),
    );
    const described = await run(["topics", "describe", "orders"]);
    expect(described.stdout).toMatch(/Topic: orders {2}PartitionCount: 3 {2}ReplicationFactor: 1/);
    expect(described.stdout).toContain("retention.ms=86400000");
    expect(described.stdout).toContain("Durability: acknowledged after fsync");
    expect(described.stdout).toMatch(/Partition +Leader +Replicas +Isr/);
    await run(["topics", "alter", "orders", "--set", "flush=os", "--set", "flush.ms=1000"]);
    expect((await run(["topics", "describe", "orders"])).stdout).toContain(
      "Durability: acknowledged after write; synced every 1,000 ms",
    );
    expect(await run(["topics", "delete", "orders", "--yes"])).toMatchObject({ code: 0 });
    expect((await run(["topics", "describe", "orders"])).code).toBe(1);
  });

  it("accepts an existing topic only with --if-not-exists", async () => {
    await run(["topics", "create", "twice"]);
    const again = await run(["topics", "create", "twice"]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("--if-not-exists");
    expect((await run(["topics", "create", "twice", "--if-not-exists"])).code).toBe(0);
  });

  it("tells every failure and still does the rest", async () => {
    const result = await run(["topics", "create", "good", "bad/name", "worse/name"]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/not legal|name/);
  });

  it("does not delete without a confirmation where nobody can give one", async () => {
    await run(["topics", "create", "kept"]);
    const result = await run(["topics", "delete", "kept"]);
    expect(result.code).toBe(64);
    expect(result.stderr).toContain("--yes");
    expect((await run(["topics", "describe", "kept"])).code).toBe(0);
  });
});

describe("millrace produce and consume", () => {
  it("send lines and print them again, keys apart, in order per key", async () => {
    await run(["topics", "create", "lines", "-p", "3"]);
    const sent = await run(["produce", "lines", "-k", ",", "--json"], { input: lines(1000) });
    expect(sent.code).toBe(0);
    expect(JSON.parse(sent.stdout)).toMatchObject({ topic: "lines", records: 1000 });
    const read = await run([
      "consume",
      "lines",
      "--from",
      "earliest",
      "--until-end",
      "-f",
      "%k,%v\\n",
    ]);
    expect(read).toMatchObject({ code: 0, stderr: "" });
    const ofKey = (text: string, key: string) =>
      text.split("\n").filter((line) => line.startsWith(`${key},`));
    expect(read.stdout.trim().split("\n")).toHaveLength(1000);
    expect(new Set(read.stdout.split("\n"))).toEqual(new Set(lines(1000).split("\n")));
    expect(ofKey(read.stdout, "k3")).toEqual(ofKey(lines(1000), "k3"));
  });

  it("start where --from says and stop at --max", async () => {
    await run(["topics", "create", "positions"]);
    await run(["produce", "positions"], { input: "zero\none\ntwo\nthree\n" });
    const read = async (...parameters: string[]) =>
      (await run(["consume", "positions", "--until-end", ...parameters])).stdout;
    expect(await read("--from", "offset:2")).toBe("two\nthree\n");
    expect(await read("--from", "last:1")).toBe("three\n");
    expect(await read("--from", "timestamp:0", "--max", "2")).toBe("zero\none\n");
    expect(await read("--from", "latest")).toBe("");
    expect(await read("--from", "earliest", "-p", "0", "--json", "-n", "1")).toMatch(
      /^\{"topic":"positions","partition":0,"offset":0,.*"value":"zero"/,
    );
  });

  it("print a record as soon as it arrives, and end with 130 and no word on Ctrl-C", async () => {
    await run(["topics", "create", "live"]);
    const reading = run(["consume", "live", "--from", "earliest"], {
      onOutput: (stdout, child) => {
        if (stdout === "hello\n") {
          child.kill("SIGINT");
        }
      },
    });
    expect((await run(["produce", "live"], { input: "hello\n" })).code).toBe(0);
    expect(await reading).toEqual({ code: 130, stdout: "hello\n", stderr: "" });
  });

  it("let bytes that are no text through unharmed", async () => {
    const file = join(directory, "lines.txt");
    await writeFile(file, "\u00e4\u20ac\u{1f600}\tand\u001b[31m\n");
    await run(["topics", "create", "bytes"]);
    await run(["produce", "bytes", "--file", file]);
    const read = await run(["consume", "bytes", "--from", "earliest", "--until-end"]);
    expect(read.stdout).toBe(await readFile(file, "utf8"));
  });

  it("end quietly when the reader of a pipe goes away", async () => {
    await run(["topics", "create", "pipe"]);
    await run(["produce", "pipe"], { input: lines(20_000) });
    const result = await run(["consume", "pipe", "--from", "earliest"], {
      onOutput: (_, child) => child.stdout.destroy(),
    });
    expect(result).toMatchObject({ code: 0, stderr: "" });
  });

  it("fail at once on an unknown topic and say how to create it", async () => {
    for (const command of ["produce", "consume"]) {
      const result = await run([command, "nowhere"], { input: "x\n" });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain("millrace topics create");
    }
  });
});

describe("millrace and what goes wrong", () => {
  it("ends with 69 when no broker is there, and says how to start one", async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" ? (address?.port ?? 1) : 1));
      });
    });
    const result = await millrace(["topics", "list", "-b", `ws://127.0.0.1:${port}`]);
    expect(result.code).toBe(69);
    expect(result.stderr).toContain("millrace start");
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  it("ends with 64 on what is no command, option or value", async () => {
    for (const parameters of [
      ["frobnicate"],
      ["topics", "list", "--frobnicate"],
      ["topics", "create"],
      ["consume", "orders", "--from", "yesterday"],
      ["consume", "orders", "--format", "%x"],
    ]) {
      expect(await run(parameters), parameters.join(" ")).toMatchObject({ code: 64, stdout: "" });
    }
  });

  it("tells errors as JSON with --json", async () => {
    const result = await run(["topics", "describe", "nowhere", "--json"]);
    expect(JSON.parse(result.stderr)).toMatchObject({
      error: { code: "UNKNOWN_TOPIC_OR_PARTITION" },
    });
  });
});

describe("millrace log", () => {
  it("dumps and verifies what a broker wrote, and finds what was changed since", async () => {
    const data = join(directory, "logs");
    const own = await startBroker(data);
    await millrace(["topics", "create", "t", "-b", own.url]);
    await millrace(["produce", "t", "-b", own.url], { input: "one\ntwo\n" });
    await own.stop();
    const segment = join(data, "t-0", "00000000000000000000.log");
    const dumped = await millrace(["log", "dump", segment, "--records", "--json"]);
    expect(JSON.parse(dumped.stdout)).toMatchObject({
      position: 0,
      isCrcValid: true,
      records: [
        { offset: 0, value: "one" },
        { offset: 1, value: "two" },
      ],
    });
    expect(await millrace(["log", "verify", data])).toMatchObject({ code: 0, stderr: "" });
    const bytes = await readFile(segment);
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
    await writeFile(segment, bytes);
    const verified = await millrace(["log", "verify", data, "--json"]);
    expect(verified.code).toBe(1);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      damaged: 1,
      findings: [{ severity: "damage", file: "t-0/00000000000000000000.log", position: 0 }],
    });
    expect((await millrace(["log", "dump", segment])).code).toBe(1);
  });

  it("repairs what it found: a dry run first, never beside a running broker, no other offset moves", async () => {
    const data = join(directory, "repaired");
    const first = await startBroker(data);
    await millrace(["topics", "create", "t", "-b", first.url]);
    for (const input of ["zero\n", "one\n", "two\n"]) {
      await millrace(["produce", "t", "-b", first.url], { input });
    }
    await first.stop();
    const segment = join(data, "t-0", "00000000000000000000.log");
    const bytes = await readFile(segment);
    const batchBytes = 12 + bytes.readInt32BE(8);
    // The magic byte of the second batch; the indexes are hints that the next start would not need.
    bytes[batchBytes + 16] = 9;
    await writeFile(segment, bytes);
    for (const suffix of [".index", ".timeindex", ".index-state"]) {
      await rm(segment.replace(".log", suffix), { force: true });
    }
    const second = await startBroker(data);
    const repair = ["log", "repair", data, "--topic-partition", "t-0"];
    const state = await millrace(["topics", "describe", "t", "-b", second.url]);
    expect(state.stdout).toContain("quarantined");
    expect((await millrace([...repair, "--apply", "--yes"])).code).toBe(73);
    await second.stop();
    const planned = await millrace([...repair, "--json"]);
    expect(planned.code).toBe(1);
    expect(JSON.parse(planned.stdout)).toMatchObject({
      applied: false,
      lostOffsets: 1,
      ranges: [{ position: batchBytes, firstOffset: 1, lastOffset: 1 }],
    });
    expect((await millrace([...repair, "--apply"])).code).toBe(64);
    const done = await millrace([...repair, "--apply", "--yes", "--json"]);
    expect(done.code).toBe(0);
    const { ranges } = JSON.parse(done.stdout) as {
      ranges: { savedAs: string; sizeBytes: number }[];
    };
    const saved = await readFile(join(data, ranges[0]?.savedAs ?? ""));
    expect(saved).toEqual(bytes.subarray(batchBytes, batchBytes + (ranges[0]?.sizeBytes ?? 0)));
    expect((await millrace(["log", "verify", data])).code).toBe(0);
    const third = await startBroker(data);
    await millrace(["produce", "t", "-b", third.url], { input: "three\n" });
    const read = ["consume", "t", "-b", third.url, "--from", "earliest", "--until-end"];
    expect((await millrace([...read, "-f", "%o %v\\n"])).stdout).toBe("0 zero\n2 two\n3 three\n");
    await third.stop();
  });

  it("ends with 66 where there is nothing to read", async () => {
    expect((await millrace(["log", "verify", join(directory, "nothing")])).code).toBe(66);
    expect((await millrace(["log", "dump", join(directory, "nothing.log")])).code).toBe(66);
  });
});

describe("millrace bench", () => {
  it("prints one JSON object with every figure, from a broker of its own", async () => {
    const parameters = ["--records", "20000", "--slice-ms", "50", "--data-dir", directory];
    const result = await millrace([
      "bench",
      "produce",
      "--json",
      ...parameters,
      "--consumers",
      "1",
    ]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const percentiles = {
      p50: expect.any(Number),
      p99: expect.any(Number),
      p999: expect.any(Number),
      max: expect.any(Number),
    };
    expect(JSON.parse(result.stdout)).toMatchObject({
      records: 20_000,
      recordsPerSecond: expect.any(Number),
      megabytesPerSecond: expect.any(Number),
      ackMs: percentiles,
      endToEndMs: percentiles,
      diskRatio: expect.any(Number),
      disk: { baselineMegabytesPerSecond: { median: expect.any(Number) } },
    });
  });

  it("prints a line for each interval, and the whole at the end", async () => {
    const parameters = ["bench", "latency", "--rate", "300", "--seconds", "1", "--json"];
    const result = await run([...parameters, "--interval", "100ms"]);
    const printed = result.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(printed.length).toBeGreaterThan(2);
    expect(printed.at(-1)).toMatchObject({ bench: "latency", records: 300 });
    for (const line of printed.slice(0, -1)) {
      expect(line).toMatchObject({
        interval: { atSeconds: expect.any(Number), recordsPerSecond: expect.any(Number) },
      });
    }
  });

  it("measures catching up and latency against a broker that runs", async () => {
    const consumed = await run(["bench", "consume", "--records", "5000", "--json"]);
    expect(JSON.parse(consumed.stdout)).toMatchObject({ bench: "consume", records: 5000 });
    const latency = ["bench", "latency", "--rate", "500", "--seconds", "1", "--json"];
    expect(JSON.parse((await run(latency)).stdout)).toMatchObject({
      bench: "latency",
      records: 500,
      endToEndMs: { p99: expect.any(Number) },
    });
    const left = await run(["topics", "list", "--json"]);
    expect(left.stdout).not.toContain("bench-");
  });
});
