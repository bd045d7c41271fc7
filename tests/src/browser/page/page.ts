// The test page: the SDK's browser entry, bundled as an application would bundle it, behind a few functions that
// a script can call from outside.

import { isMillraceError, Millrace } from "millrace";
import type { Failure, Harness, HarnessHost } from "../harness.js";

let client: Millrace | undefined;
const received: number[] = [];
let consumerFailure: Failure | null = null;

function connected(): Millrace {
  if (client === undefined) {
    throw new Error("connect first");
  }
  return client;
}

const failureOf = (error: unknown): Failure => ({
  code: isMillraceError(error) ? error.code : "UNEXPECTED",
  message: String(error),
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function consume(topic: string): Promise<void> {
  try {
    for await (const record of connected().consumer({ topics: [topic], from: "earliest" })) {
      received.push(Number(record.text()));
    }
  } catch (error) {
    consumerFailure = failureOf(error);
  }
}

const harness: Harness = {
  connect: (url) => {
    client = new Millrace(url);
  },
  createTopic: async (name) => {
    await connected().admin().createTopic(name);
  },
  produce: async ({ topic, from, count, compression, pauseMs }) => {
    const producer = connected().producer({ compression });
    const sending: Promise<{ readonly offset: number }>[] = [];
    for (let index = 0; index < count; index++) {
      sending.push(producer.send({ topic, key: "page", value: `${from + index}` }));
      if (pauseMs > 0) {
        await sleep(pauseMs);
      }
    }
    const offsets = (await Promise.all(sending)).map(({ offset }) => offset);
    await producer.close();
    return offsets;
  },
  startConsumer: (topic) => void consume(topic),
  received: () => received,
  consumerFailure: () => consumerFailure,
  tryCompression: (codec) => {
    try {
      connected().producer({ compression: codec as "zstd" });
      return null;
    } catch (error) {
      return failureOf(error);
    }
  },
  tryToReach: async (url, timeoutMs) => {
    const other = new Millrace(url);
    try {
      await other.admin().listTopics({ timeoutMs });
      return null;
    } catch (error) {
      return failureOf(error);
    } finally {
      await other.close();
    }
  },
  roundTripInWorker: (url, topic, value) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }) => {
        worker.terminate();
        resolve(data);
      };
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage({ url, topic, value });
    }),
  close: async () => {
    await client?.close();
  },
};

(globalThis as unknown as { harness: HarnessHost["harness"] }).harness = harness;
