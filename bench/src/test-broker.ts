// How long a test waits for its broker: the first one of a process, and those after it. Run it built:
// `node bench/dist/test-broker.js`. Prints figures, judges nothing.

import { createTestBroker } from "@millrace/testing";

const ROUNDS = 50;

async function readyMs(options: Parameters<typeof createTestBroker>[0]): Promise<number> {
  const startedAt = performance.now();
  const broker = await createTestBroker(options);
  const elapsed = performance.now() - startedAt;
  await broker.close();
  return elapsed;
}

async function firstRecordMs(): Promise<number> {
  const startedAt = performance.now();
  await using broker = await createTestBroker({ topics: ["t"] });
  await broker.client().producer().send({ topic: "t", value: "x" });
  await broker.records("t");
  return performance.now() - startedAt;
}

function line(name: string, values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  return `${name.padEnd(44)} p50 ${at(0.5).padStart(6)} ms   p99 ${at(0.99).padStart(6)} ms   max ${at(1).padStart(6)} ms`;
}

async function rounds(work: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    values.push(await work());
  }
  return values;
}

const first = await readyMs({ topics: ["t"] });
console.log(`the first broker of the process              ${first.toFixed(1)} ms`);
console.log(line("ready, in memory, one topic", await rounds(() => readyMs({ topics: ["t"] }))));
console.log(
  line(
    "ready, in a temporary directory, one topic",
    await rounds(() => readyMs({ topics: ["t"], dataDirectory: "temporary" })),
  ),
);
console.log(line("ready, one record sent and read, closed", await rounds(firstRecordMs)));
const startedAt = performance.now();
const many = await Promise.all(Array.from({ length: 20 }, () => createTestBroker()));
console.log(
  `20 brokers at once                           ${(performance.now() - startedAt).toFixed(1)} ms`,
);
await Promise.all(many.map((broker) => broker.close()));
