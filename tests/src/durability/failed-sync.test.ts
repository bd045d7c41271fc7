import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Millrace } from "millrace";
import { describe, expect, it } from "vitest";
import { buildShim, powerCutProblem, shimEnvironment } from "../power-cut/real-disk.js";
import { BrokerProcess, type Exit } from "../process/broker-process.js";

const problem = powerCutProblem();
const note = problem === undefined ? "" : ` [skipped: ${problem}]`;
/** One after the other, each awaited: so many at most. */
const SENDS_MAX = 200;

interface Outcome {
  /** Values of the records that were acknowledged. */
  readonly acknowledged: readonly string[];
  readonly exit: Exit | undefined;
  readonly log: string;
  /** What a start without the fault has, in order. */
  readonly kept: readonly string[];
}

/** A broker on the real file system whose sync number `failSync` fails with EIO; undefined: none does. */
async function run(failSync: number | undefined): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-failed-sync-"));
  const dataDirectory = join(directory, "data");
  const shim = { library: buildShim(), directory: dataDirectory, journal: join(directory, "j") };
  const environment = shimEnvironment(failSync === undefined ? shim : { ...shim, failSync });
  try {
    const broker = await BrokerProcess.start({ dataDirectory, environment });
    const acknowledged: string[] = [];
    const client = new Millrace(broker.url);
    await client.admin().createTopic("t", { partitions: 1 });
    const producer = client.producer({ deliveryTimeoutMs: 2_000, requestTimeoutMs: 1_000 });
    for (let index = 0; index < SENDS_MAX && broker.isRunning; index++) {
      const value = `value-${index}`;
      const isStored = await producer.send({ topic: "t", value }).then(
        () => true,
        () => false,
      );
      if (!isStored) {
        break;
      }
      acknowledged.push(value);
    }
    const exit = failSync === undefined ? undefined : await broker.exited;
    await broker.kill();
    await client.close({ timeoutMs: 1_000 }).catch(() => undefined);
    return { acknowledged, exit, log: broker.log, kept: await readAll(dataDirectory) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function readAll(dataDirectory: string): Promise<string[]> {
  const broker = await BrokerProcess.start({ dataDirectory });
  try {
    await using client = new Millrace(broker.url);
    const [end] = await client.admin().listOffsets("t", "latest");
    const values: string[] = [];
    const last = (end?.offset ?? 0) - 1;
    const consumer = client.consumer({ topics: ["t"], from: "earliest" });
    for await (const record of consumer) {
      values.push(record.text() ?? "");
      if (record.offset >= last) {
        break;
      }
    }
    return values;
  } finally {
    await broker.kill();
  }
}

describe("a sync that fails on the real file system", () => {
  it.skipIf(problem !== undefined)(
    `stops the broker, acknowledges nothing that it was to cover, and loses nothing acknowledged${note}`,
    async () => {
      const { acknowledged, exit, log, kept } = await run(60);
      expect(exit).toMatchObject({ signal: null });
      expect(exit?.code).not.toBe(0);
      expect(log).toMatch(/sync|EIO/);
      expect(acknowledged.length).toBeGreaterThan(0);
      expect(acknowledged.length).toBeLessThan(SENDS_MAX);
      expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged);
    },
  );

  it.skipIf(problem !== undefined)(
    `is what stopped it: without the fault all is acknowledged (negative control)${note}`,
    async () => {
      const { acknowledged, kept } = await run(undefined);
      expect(acknowledged.length).toBe(SENDS_MAX);
      expect(kept).toEqual(acknowledged);
    },
  );
});
