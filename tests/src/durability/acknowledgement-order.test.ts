import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Millrace } from "millrace";
import { describe, expect, it } from "vitest";
import { BrokerProcess } from "../process/broker-process.js";
import { earlyAcknowledgement, readTrace, type Traced } from "./system-calls.js";

const RECORDS = 20;
const CALLS = "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fdatasync,fsync";

/** Why the kernel cannot be watched here, as the end of a test's name. */
const problem = ((): string => {
  const { error, status } = spawnSync("strace", ["-o", "/dev/null", "true"]);
  if (error !== undefined) {
    return " [skipped: strace is missing]";
  }
  return status === 0 ? "" : " [skipped: strace may not trace here]";
})();

const isAnswer = ({ name, path }: Traced): boolean =>
  /^(write|writev|sendto|sendmsg)$/.test(name) && /^(TCP|socket)/.test(path);

/** The system calls of a broker while records are sent one by one, each awaited. */
async function traceSends(flush: "sync" | "os"): Promise<{ calls: Traced[]; logPath: string }> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-strace-"));
  const dataDirectory = join(directory, "data");
  const output = join(directory, "trace");
  const broker = await BrokerProcess.start({
    dataDirectory,
    environment: { UV_USE_IO_URING: "0" },
  });
  try {
    await using client = new Millrace(broker.url);
    await client.admin().createTopic("traced", { partitions: 1, config: { flush } });
    const producer = client.producer();
    await producer.send({ topic: "traced", value: "warm" });
    const traceOptions = ["-f", "-y", "-s", "65536", "-e", `trace=${CALLS}`, "-o", output];
    const strace = spawn("strace", [...traceOptions, "-p", String(broker.pid)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    // It says when it is attached.
    await once(strace.stderr, "data");
    for (let index = 0; index < RECORDS; index++) {
      await producer.send({ topic: "traced", value: markerOf(index) });
    }
    const ended = once(strace, "exit");
    strace.kill("SIGINT");
    await ended;
    const calls = readTrace(readFileSync(output, "utf8"));
    return { calls, logPath: join(dataDirectory, "traced-0", "00000000000000000000.log") };
  } finally {
    await broker.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

const markerOf = (index: number): string => `record-number-${index}-of-the-trace`;

async function earlyOnes(flush: "sync" | "os"): Promise<string[]> {
  const { calls, logPath } = await traceSends(flush);
  const markers = Array.from({ length: RECORDS }, (_, index) => markerOf(index));
  return markers
    .map((marker) => earlyAcknowledgement(calls, { marker, logPath, isAnswer }))
    .filter((early) => early !== undefined);
}

describe("the kernel's view of an acknowledgement", () => {
  it.skipIf(problem !== "")(`comes after the fdatasync that covers it${problem}`, async () => {
    expect(await earlyOnes("sync")).toEqual([]);
  });

  it.skipIf(problem !== "")(
    `comes before it with flush=os (negative control)${problem}`,
    async () => {
      const early = await earlyOnes("os");
      expect(early.length).toBe(RECORDS);
      expect(early[0]).toContain("before a fdatasync covered it");
    },
  );
});
