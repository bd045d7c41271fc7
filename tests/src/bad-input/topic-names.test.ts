import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { Scene, withGreeted } from "./scene.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

const topic = (name: string) => ({ name, partitions: 1, replicationFactor: 1, config: {} });

/** Error code and message per name, as one request over a raw socket gets them. */
async function create(...names: string[]): Promise<{ code: number; message: string }[]> {
  return await withGreeted(broker.port, async (client) => {
    const topics = names.map(topic);
    const answer = await client.request("createTopics", {
      topics,
      validateOnly: false,
      timeoutMs: 10_000,
    });
    expect(answer.error).toBe("NONE");
    return answer.body.topics.map(({ errorCode, errorMessage }) => ({
      code: errorCode,
      message: errorMessage ?? "",
    }));
  });
}

const dataEntries = (): string[] => readdirSync(join(scene.directory, "data")).sort();

const illegal: readonly (readonly [string, string, string])[] = [
  ["nothing", "", "is empty"],
  ["one dot", ".", 'must not be "."'],
  ["two dots", "..", 'must not be "." or ".."'],
  ["a path up", "../outside", "may only hold"],
  ["a path down", "a/b", "may only hold"],
  ["an absolute path", "/etc/passwd", "may only hold"],
  ["a path of Windows", "..\\outside", "may only hold"],
  ["an escaped path", "%2e%2e%2foutside", "may only hold"],
  ["a NUL", "a\u0000b", "may only hold"],
  ["a NUL before a path", "a\u0000/../../b", "may only hold"],
  ["a line break", "a\nb", "may only hold"],
  ["an ANSI sequence", "\u001b[31mred", "may only hold"],
  ["a space", "a b", "may only hold"],
  ["a colon", "C:stream", "may only hold"],
  ["a look-alike dot", "\u2024\u2024", "may only hold"],
  ["full width letters", "\uff41", "may only hold"],
  ["an emoji", "\u{1f600}", "may only hold"],
  ["250 characters", "a".repeat(250), "has 250 characters; at most 249"],
  ["32,000 characters", "a".repeat(32_000), "at most 249"],
];

describe("an illegal topic name", () => {
  it.each(illegal)("is refused with the rule it breaks: %s", async (_, name, reason) => {
    const before = dataEntries();
    await witness.during(async () => {
      const [outcome] = await create(name);
      expect(outcome?.code).toBe(17);
      expect(outcome?.message).toContain(reason);
    });
    expect(dataEntries()).toEqual(before);
    expect(readdirSync(scene.directory)).toEqual(["data"]);
  });

  it("is unknown, not a path, to every request that names a topic", async () => {
    const before = dataEntries();
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        for (const name of ["../data", "..", "a\u0000b", "__proto__", "constructor"]) {
          const found = await client.request("metadata", { topics: [name], topicIds: [] });
          expect(found.body.topics[0]?.errorCode).toBe(3);
          const described = await client.request("describeTopics", { topics: [name] });
          expect(described.body.topics[0]?.errorCode).toBe(3);
          const deleted = await client.request("deleteTopics", {
            topics: [name],
            topicIds: [],
            timeoutMs: 10_000,
          });
          expect(deleted.body.topics[0]?.errorCode).toBe(3);
          const grown = await client.request("createPartitions", {
            topics: [{ name, totalCount: 2 }],
            validateOnly: false,
            timeoutMs: 10_000,
          });
          expect(grown.body.topics[0]?.errorCode).toBe(3);
        }
      }),
    );
    expect(dataEntries()).toEqual(before);
  });

  it("does not keep the legal ones of the same request from being created", async () => {
    await witness.during(async () => {
      const outcomes = await create("..", "fine.one", "a/b");
      expect(outcomes.map(({ code }) => code)).toEqual([17, 0, 17]);
    });
    expect(dataEntries()).toContain("fine.one-0");
  });
});

describe("a legal topic name", () => {
  it("may have 249 characters, keeps its records, and can be deleted", async () => {
    const name = "a".repeat(249);
    await witness.during(async () => {
      const [outcome] = await create(name);
      expect(outcome).toEqual({ code: 0, message: "" });
      const { offset } = await witness.client.producer().send({ topic: name, value: "kept" });
      expect(offset).toBe(0);
      await witness.client.admin().deleteTopic(name);
    });
    expect(dataEntries()).not.toContain(`${name}-0`);
  });

  it("may be one that JavaScript knows better: __proto__, constructor, toString", async () => {
    await witness.during(async () => {
      const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
      expect((await create(...names)).map(({ code }) => code)).toEqual([0, 0, 0, 0]);
      for (const name of names) {
        const { offset } = await witness.client.producer().send({ topic: name, value: name });
        expect(offset).toBe(0);
      }
    });
  });

  it("is refused when it differs from another in . and _ only, or is there already", async () => {
    await witness.during(async () => {
      expect((await create("a.b_c")).map(({ code }) => code)).toEqual([0]);
      const outcomes = await create("a_b_c", "a.b.c", "a.b_c");
      expect(outcomes.map(({ code }) => code)).toEqual([17, 17, 36]);
      expect(outcomes[0]?.message).toContain("collides with a.b_c");
      expect(outcomes[2]?.message).toContain("exists already");
    });
  });

  it("is refused for both when one request names it twice", async () => {
    await witness.during(async () => {
      const outcomes = await create("twice", "twice");
      expect(outcomes.map(({ code }) => code)).toEqual([42, 42]);
      expect(outcomes[0]?.message).toContain("more than once");
    });
  });
});

describe("impossible numbers and configurations of a topic", () => {
  it.each([
    ["no partition", { partitions: 0 }, 37, "partitions"],
    ["a negative number of partitions", { partitions: -7 }, 37, "partitions"],
    ["two billion partitions", { partitions: 2 ** 31 - 1 }, 37, "partitions"],
    ["more replicas than brokers", { replicationFactor: 3 }, 38, "broker"],
    ["an unknown key", { config: { "no.such.key": "1" } }, 40, "no.such.key"],
    ["a value that is no number", { config: { "retention.ms": "soon" } }, 40, "retention.ms"],
    ["a segment of no bytes", { config: { "segment.bytes": "0" } }, 40, "segment.bytes"],
  ])("are refused with what is wrong: %s", async (_, change, code, word) => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const { body } = await client.request("createTopics", {
          topics: [{ ...topic("impossible"), ...change }],
          validateOnly: false,
          timeoutMs: 10_000,
        });
        expect(body.topics[0]?.errorCode).toBe(code);
        expect(body.topics[0]?.errorMessage).toContain(word);
      }),
    );
    expect(dataEntries().some((name) => name.startsWith("impossible"))).toBe(false);
  });
});
