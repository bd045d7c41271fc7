// Typed topics against a real broker in this process; the types themselves are claims that `tsc` checks.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@millrace/runtime";
import { type RunningServer, startServer } from "@millrace/server";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  bytes,
  InvalidDataError,
  json,
  Millrace,
  nullable,
  type StandardSchema,
  type Topic,
  type TypedRecord,
  text,
} from "../index.js";
import { toSerde } from "./serde.js";

interface Order {
  readonly id: number;
  readonly paid: boolean;
}

const directory = mkdtempSync(join(tmpdir(), "millrace-typed-"));
let server: RunningServer;
let client: Millrace;
let topicCount = 0;

beforeAll(async () => {
  server = await startServer({ port: 0, dataDirectory: directory, logger: silentLogger });
  client = new Millrace({ bootstrap: server.url, logger: silentLogger });
});

afterAll(async () => {
  await client.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

async function newTopic(): Promise<string> {
  const name = `typed-${topicCount++}`;
  await client.admin().createTopic(name);
  return name;
}

async function take<T>(records: AsyncIterable<T>, count: number): Promise<T[]> {
  const all: T[] = [];
  for await (const record of records) {
    all.push(record);
    if (all.length === count) {
      break;
    }
  }
  return all;
}

describe("a typed topic", () => {
  it("sends and reads keys and values as their types", async () => {
    const orders = client.topic(await newTopic(), { key: text(), value: json<Order>() });
    await orders.send({ key: "a", value: { id: 1, paid: false }, headers: [] });
    await orders.send([{ key: "b", value: { id: 2, paid: true } }]);
    await using producer = orders.producer({ compression: "zstd", compressionLevel: 5 });
    await producer.send({ key: "c", value: { id: 3, paid: true } });
    await using consumer = orders.consumer({ from: "earliest" });
    const records = await take(consumer, 3);
    expectTypeOf(records).toEqualTypeOf<TypedRecord<string, Order>[]>();
    expect(records.map(({ key, value, offset }) => [key, value.id, offset])).toEqual([
      ["a", 1, 0],
      ["b", 2, 1],
      ["c", 3, 2],
    ]);
  });

  it("refuses other types when it is compiled", async () => {
    const orders = client.topic(await newTopic(), { key: text(), value: json<Order>() });
    const neverCalled = (): void => {
      // @ts-expect-error the value is no order
      void orders.send({ key: "a", value: { id: "1" } });
      // @ts-expect-error a key is missing
      void orders.send({ value: { id: 1, paid: true } });
      // @ts-expect-error tombstones have to be allowed
      void orders.send({ key: "a", value: null });
      // @ts-expect-error the topic is known
      void orders.send({ topic: "x", key: "a", value: { id: 1, paid: true } });
    };
    expect(neverCalled).toBeTypeOf("function");
    const plain = client.topic("plain", { value: bytes() });
    expectTypeOf(plain).toEqualTypeOf<
      Topic<Uint8Array | null, Uint8Array | null, Uint8Array, Uint8Array>
    >();
  });

  it("takes keys that are not described as bytes or none, and tombstones where they are allowed", async () => {
    const topic = client.topic(await newTopic(), { value: nullable(json<Order>()) });
    await topic.send({ value: { id: 1, paid: true } });
    await topic.send({ key: Uint8Array.of(7), value: null });
    await using consumer = topic.consumer({ from: "earliest", partitions: [0] });
    const [first, second] = await take(consumer, 2);
    expectTypeOf(first?.value).toEqualTypeOf<Order | null | undefined>();
    expect([first?.key, first?.value]).toEqual([null, { id: 1, paid: true }]);
    expect([second?.key, second?.value]).toEqual([Uint8Array.of(7), null]);
  });

  it("checks by a zod schema, and applies its transformations once, on the reader's side", async () => {
    const event = z.object({ at: z.string().transform((value) => value.length), name: z.string() });
    const events = client.topic(await newTopic(), { value: event });
    await events.send({ value: { at: "1234", name: "x" } });
    await using consumer = events.consumer({ from: "earliest" });
    const [record] = await take(consumer, 1);
    expectTypeOf(record?.value).toEqualTypeOf<{ at: number; name: string } | undefined>();
    expect(record?.value).toEqual({ at: 4, name: "x" });
    const wrong = { at: "1", name: 5 } as unknown as { at: string; name: string };
    await expect(events.send({ value: wrong })).rejects.toMatchObject({
      code: "INVALID_RECORD",
      fatal: false,
      details: { definite: true, issues: [{ path: ["name"] }] },
    });
  });

  it("checks by a valibot schema: one misfit in a list, and nothing of the list is sent", async () => {
    const name = await newTopic();
    const schema = v.object({ id: v.pipe(v.number(), v.minValue(1)) });
    const topic = client.topic(name, { key: text(), value: schema });
    const list = [
      { key: "a", value: { id: 1 } },
      { key: "b", value: { id: 0 } },
    ];
    await expect(topic.send(list)).rejects.toThrow(/value does not fit: id: /);
    const [end] = await client.admin().listOffsets(name, "latest");
    expect(end?.offset).toBe(0);
  });
});

describe("a record that does not fit", () => {
  /** Good, bad (not JSON), bad (another shape), good. */
  async function mixed() {
    const name = await newTopic();
    const producer = client.producer();
    for (const value of ['{"id":1}', "{", '{"id":"2"}', '{"id":3}']) {
      await producer.send({ topic: name, value });
    }
    return client.topic(name, { value: z.object({ id: z.number() }) });
  }

  it("ends the loop by default, unprocessed, with its place and its issues", async () => {
    const topic = await mixed();
    await using consumer = topic.consumer({ from: "earliest" });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { value } of consumer) {
        seen.push(value.id);
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: "INVALID_RECORD",
      fatal: false,
      details: { topic: topic.name, partition: 0, offset: 1, issues: [{ message: "not JSON" }] },
    });
    expect(seen).toEqual([1]);
    expect(consumer.untyped.processedPosition(topic.name, 0)).toBe(1);
  });

  it("is skipped when the user says so", async () => {
    await using consumer = (await mixed()).consumer({ from: "earliest", onInvalid: "skip" });
    const records = await take(consumer, 2);
    expect(records.map(({ value }) => value.id)).toEqual([1, 3]);
  });

  it("is handed to a function, which is awaited", async () => {
    const dead: string[] = [];
    await using consumer = (await mixed()).consumer({
      from: "earliest",
      onInvalid: async (record, issues) => {
        await Promise.resolve();
        dead.push(`${record.offset} ${issues.length} ${record.text()}`);
      },
    });
    await take(consumer, 2);
    expect(dead).toEqual(["1 1 {", '2 1 {"id":"2"}']);
  });

  it("fails a run, or counts as handled in it", async () => {
    const topic = await mixed();
    await using failing = topic.consumer({ from: "earliest" });
    await expect(failing.run(() => {})).rejects.toMatchObject({ code: "INVALID_RECORD" });
    expect(failing.untyped.processedPosition(topic.name, 0)).toBe(1);
    await using skipping = topic.consumer({ from: "earliest", onInvalid: "skip" });
    const ids: number[] = [];
    const enough = new AbortController();
    await skipping.run(
      ({ value }) => {
        ids.push(value.id);
        if (ids.length === 2) {
          enough.abort();
        }
      },
      { concurrency: 4, signal: enough.signal },
    );
    expect(ids).toEqual([1, 3]);
  });
});

describe("serdes", () => {
  it("refuse what they cannot read or write", () => {
    expect(() => text().deserialize(Uint8Array.of(0xff))).toThrow("not UTF-8");
    expect(() => text().deserialize(null)).toThrow("nullable() allows it");
    expect(() => json<undefined>().serialize(undefined)).toThrow("not JSON: undefined");
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    expect(() => json<object>().serialize(loop)).toThrow(InvalidDataError);
  });

  it("refuse a schema that validates asynchronously, saying so", () => {
    const slow: StandardSchema<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => ({ value: String(value) }),
      },
    };
    expect(() => toSerde(slow).serialize("x")).toThrow("synchronous");
  });
});
