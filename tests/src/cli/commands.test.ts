// The commands around topics, records in files, profiles and diagnosis, as processes against one broker.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, millrace, type RunOptions, startBroker } from "./millrace.js";

let directory = "";
let broker: Broker;

const run = (parameters: readonly string[], options: RunOptions = {}) =>
  millrace(parameters, { ...options, env: { MILLRACE_BOOTSTRAP: broker.url, ...options.env } });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-commands-"));
  broker = await startBroker(join(directory, "data"));
});

afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

describe("millrace topics", () => {
  it("alter shows before and after, changes nothing in a dry run, and all or nothing", async () => {
    await run(["topics", "create", "altered", "-c", "retention.ms=1000"]);
    const alter = (...parameters: string[]) =>
      run(["topics", "alter", "altered", "--json", ...parameters]);
    const dry = await alter("--set", "retention.ms=5000", "--dry-run");
    expect(JSON.parse(dry.stdout)).toMatchObject({
      applied: false,
      changes: [{ key: "retention.ms", before: "1000", after: "5000" }],
    });
    const refused = await alter("--set", "retention.ms=7000", "--set", "retention.bytes=many");
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: "INVALID_CONFIG" } });
    const done = await alter("--set", "segment.bytes=1048576", "--delete", "retention.ms");
    expect(JSON.parse(done.stdout)).toMatchObject({
      applied: true,
      changes: [
        { key: "segment.bytes", after: "1048576", source: "topic" },
        { key: "retention.ms", before: "1000", after: "604800000", source: "default" },
      ],
    });
    expect((await alter()).code).toBe(64);
  });

  it("add-partitions and trim ask first, and --dry-run shows what they would do", async () => {
    await run(["topics", "create", "grown"]);
    await run(["produce", "grown"], { input: "0\n1\n2\n3\n" });
    const grow = ["topics", "add-partitions", "grown", "--to", "3"];
    expect(await run(grow)).toMatchObject({ code: 64, stdout: "" });
    expect((await run([...grow, "--dry-run"])).stdout).toContain("from 1 to 3");
    expect(await run([...grow, "--yes"])).toMatchObject({ code: 0 });
    expect((await run([...grow, "--yes"])).code).toBe(64);
    const trim = ["topics", "trim", "grown", "--partition", "0", "--json"];
    const planned = await run([...trim, "--before", "3", "--dry-run"]);
    expect(JSON.parse(planned.stdout)).toMatchObject({
      applied: false,
      partitions: [{ partition: 0, startOffset: 0, newStartOffset: 3, deletedOffsets: 3 }],
    });
    expect((await run([...trim, "--before", "3"])).code).toBe(64);
    expect((await run([...trim, "--before", "9", "--yes"])).stderr).toContain(
      "OFFSET_OUT_OF_RANGE",
    );
    expect((await run([...trim, "--before", "3", "--yes"])).code).toBe(0);
    const left = await run(["consume", "grown", "--from", "earliest", "--until-end"]);
    expect(left.stdout).toBe("3\n");
  });
});

describe("millrace produce", () => {
  it("sends bytes as they are, with headers, keys and tombstones", async () => {
    await run(["topics", "create", "raw"]);
    const value = Uint8Array.from([0xff, 0x0a, 0xc3, 0x28, 0x0d]);
    const input = Buffer.concat([Buffer.from("trace=7|k1="), value, Buffer.from("\0k2=NIL\0")]);
    const how = ["--delimiter", "\\0", "--key-separator", "=", "--header-separator", "|"];
    const rest = ["--null-value", "NIL", "--headers", "source=test", "--compression", "gzip"];
    const sent = await run(["produce", "raw", "--json", ...how, ...rest], { input });
    expect(sent).toMatchObject({ code: 0, stderr: "" });
    const read = await run(["consume", "raw", "--from", "earliest", "--until-end", "--json"]);
    const [first, second] = read.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(first).toMatchObject({
      key: "k1",
      value: { base64: Buffer.from(value).toString("base64") },
      headers: [
        { key: "source", value: "test" },
        { key: "trace", value: "7" },
      ],
    });
    expect(second).toMatchObject({ key: "k2", value: null });
  });

  it("streams log lines until Ctrl-C, and ends with 0 and a summary", async () => {
    await run(["topics", "create", "stream"]);
    const streaming = run(["produce", "stream", "--stream", "--interval", "20ms", "--json"], {
      onStart: (child) => {
        const some = run(["consume", "stream", "--from", "earliest", "--max", "4"]);
        void some.finally(() => child.kill("SIGINT"));
      },
    });
    const { code, stderr, stdout } = await streaming;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { records } = JSON.parse(stdout) as { records: number };
    expect(records).toBeGreaterThan(3);
    const read = await run(["consume", "stream", "--from", "10m", "--until-end"]);
    const lines = read.stdout.trim().split("\n");
    expect(lines).toHaveLength(records);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT.* (?:INFO|WARN|ERROR) +\[/);
  });
});

describe("millrace consume --out", () => {
  it("writes a file for each partition or each record, and overwrites none", async () => {
    await run(["topics", "create", "files", "-p", "3"]);
    for (const partition of ["0", "2"]) {
      await run(["produce", "files", "-p", partition], { input: `a${partition}\nb${partition}\n` });
    }
    const out = join(directory, "out");
    const read = ["consume", "files", "--from", "earliest", "--until-end", "--out", out];
    expect(await run(read)).toMatchObject({ code: 0, stdout: "" });
    expect((await readdir(out)).sort()).toEqual(["files-0.txt", "files-2.txt"]);
    expect(await readFile(join(out, "files-2.txt"), "utf8")).toBe("a2\nb2\n");
    const again = await run(read);
    expect(again.code).toBe(73);
    expect(again.stderr).toContain("exists already");
    const single = [...read.slice(0, -1), join(directory, "single"), "--out-per", "record"];
    const summary = await run([...single, "--partition", "1,2", "--format", "%k%v", "--json"]);
    expect(JSON.parse(summary.stdout)).toMatchObject({ records: 2, files: 2 });
    const name = join(directory, "single", "files-2", "00000000000000000001.txt");
    expect(await readFile(name, "utf8")).toBe("b2");
    expect((await run(["consume", "files", "-p", "3"])).code).toBe(64);
  });
});

describe("millrace doctor", () => {
  const doctor = async (...parameters: string[]) => {
    const result = await run(["doctor", "--json", ...parameters]);
    const { checks, ok } = JSON.parse(result.stdout) as {
      ok: boolean;
      checks: { step: string; verdict: string; message: string; next?: string }[];
    };
    return {
      code: result.code,
      ok,
      checks,
      failed: checks.find(({ verdict }) => verdict === "failed"),
    };
  };

  it("goes through every step of a broker that works", async () => {
    await run(["topics", "create", "examined"]);
    const { checks, code, ok } = await doctor("--topic", "examined");
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    const steps = "url dns tcp http upkeep clock websocket hello metadata advertised roundtrip";
    expect(checks.map(({ step }) => step)).toEqual(steps.split(" "));
    expect(checks.every(({ verdict }) => verdict === "ok")).toBe(true);
  });

  it("tells what is in the way, and what to do", async () => {
    const port = async (
      answer: (text: string) => string | undefined,
    ): Promise<[Server, string]> => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", (data) => socket.end(answer(data.toString("latin1")) ?? ""));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      return [server, `ws://127.0.0.1:${typeof address === "object" ? address?.port : 0}`];
    };
    const [kafka, kafkaUrl] = await port(() => undefined);
    const [web, webUrl] = await port(() => "HTTP/1.1 200 OK\r\n\r\n<html>");
    try {
      expect((await doctor("-b", kafkaUrl)).failed).toMatchObject({
        step: "http",
        message: expect.stringContaining("Kafka"),
      });
      expect((await doctor("-b", webUrl)).failed).toMatchObject({
        step: "http",
        message: expect.stringContaining("no Millrace broker"),
      });
    } finally {
      kafka.close();
      web.close();
    }
    const nobody = await doctor("-b", "ws://127.0.0.1:1");
    expect(nobody).toMatchObject({ code: 69, failed: { step: "tcp" } });
    expect(nobody.failed?.next).toContain("millrace start");
    const tls = await doctor("-b", broker.url.replace("ws:", "wss:"));
    expect(tls.failed).toMatchObject({ step: "tls", next: expect.stringContaining("ws://") });
    const origin = await doctor("--origin", "https://elsewhere.example");
    expect(origin.failed).toMatchObject({ step: "websocket" });
    expect(origin.failed?.next).toContain("--allowed-origins https://elsewhere.example");
    expect(await doctor("--topic", "nowhere")).toMatchObject({
      code: 1,
      failed: { step: "roundtrip" },
    });
    expect(await doctor("-b", "http://x")).toMatchObject({ code: 64, failed: { step: "url" } });
  });
});

describe("millrace profile and completion", () => {
  it("take the broker from a profile, and say when its file is broken", async () => {
    const env = { MILLRACE_BOOTSTRAP: "", XDG_CONFIG_HOME: join(directory, "config") };
    const set = ["profile", "set", "here", `bootstrap=${broker.url}`, "output=json"];
    expect(await run(set, { env })).toMatchObject({ code: 0 });
    const listed = await run(["topics", "list"], { env });
    expect(JSON.parse(listed.stdout)).toBeInstanceOf(Array);
    expect((await run(["topics", "list", "--profile", "lost"], { env })).code).toBe(64);
    expect((await run(["profile", "delete", "here"], { env })).code).toBe(0);
    expect((await run(["topics", "list"], { env })).code).toBe(69);
  });

  it("offer topics of the broker, in a script each shell can read", async () => {
    await run(["topics", "create", "completed"]);
    const offered = await run(["complete", "--", "consume", "compl"]);
    expect(offered.stdout).toBe("completed\t\n");
    const script = (await run(["completion", "bash"])).stdout;
    expect(script).toContain("complete -F _millrace millrace");
  });
});

describe("errors as JSON", () => {
  it("carry the real code, also where nothing was parsed yet", async () => {
    const codeOf = async (...parameters: string[]): Promise<string> =>
      (JSON.parse((await run([...parameters, "--json"])).stderr) as { error: { code: string } })
        .error.code;
    const port = new URL(broker.url).port;
    const elsewhere = join(directory, "elsewhere");
    expect(await codeOf("start", "--port", port, "--data-dir", elsewhere)).toBe("ADDRESS_IN_USE");
    expect(await codeOf("topics", "lost")).toBe("USAGE");
    expect(await codeOf("log", "dump", join(directory, "none.log"))).toBe("ENOENT");
    expect(await codeOf("topics", "list", "-b", "ws://127.0.0.1:1")).toBe("CONNECTION_FAILED");
  });
});
