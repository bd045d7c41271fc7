import { encodeCbor, encodeRequest } from "@millrace/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { RawClient } from "./raw-client.js";
import { peakMemoryMib, resetPeakMemory, residentMemoryMib, Scene } from "./scene.js";
import { frameHeader } from "./web-socket-frames.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
/** A request for metadata (API 3, version 0, correlation id 1) whose body is these bytes. */
const withBody = (...body: number[]): Uint8Array => bytes(0x84, 3, 0, 1, ...body);
const metadata = Buffer.concat(encodeRequest("metadata", 1, { topics: null, topicIds: [] }));
const nested = (depth: number, head: readonly number[], end: number): number[] => [
  ...Array.from({ length: depth }, () => head).flat(),
  end,
];

const malformed: readonly (readonly [string, Uint8Array, string])[] = [
  ["an empty message", bytes(), "cut off"],
  ["text instead of CBOR", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "expected a request"],
  ["noise", Buffer.from("ff00fe01fd02fc03fb04fa05", "hex"), "expected a request"],
  ["a request that lacks its last byte", metadata.subarray(0, -1), "cut off"],
  ["a request with bytes behind it", Buffer.concat([metadata, bytes(0)]), "bytes follow"],
  ["three elements", bytes(0x83, 3, 0, 1), "at least four elements"],
  ["an API key that is text", bytes(0x84, 0x61, 0x33, 0, 1, 0xa0), "expected an API key"],
  ["records that are a map", bytes(0x85, 3, 0, 1, 0xa0, 0xa0), "expected records"],
  ["an array of 2^32-1 elements in 5 bytes", bytes(0x9a, 255, 255, 255, 255), "entries do not fit"],
  ["a body array of 2^32-1 elements", withBody(0x9a, 255, 255, 255, 255), ""],
  ["a map of 2^53-1 entries", withBody(0xbb, 0, 0x1f, 255, 255, 255, 255, 255, 255), ""],
  ["a byte string of 2^63 bytes", withBody(0x5b, 128, 0, 0, 0, 0, 0, 0, 0), ""],
  ["nesting 1,000 deep", withBody(...nested(1_000, [0x81], 0)), "deep"],
  ["maps 1,000 deep", withBody(...nested(1_000, [0xa1, 0x61, 0x61], 0)), "deep"],
  ["an array of indefinite length", withBody(0x9f, 0xff), ""],
  ["text of indefinite length", withBody(0x7f, 0x61, 0x61, 0xff), ""],
  ["a tag", withBody(0xc0, 0x61, 0x61), "tags are not allowed"],
  ["a big number", withBody(0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0), "tags are not allowed"],
  ["a float", withBody(0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), "simple values"],
  ["undefined", withBody(0xf7), "simple values"],
  ["an integer of 2^64-1", withBody(0x1b, 255, 255, 255, 255, 255, 255, 255, 255), ""],
  ["a reserved length code", withBody(0x1c), ""],
  ["a break without a beginning", withBody(0xff), "simple values"],
  ["a map that names a key twice", withBody(0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2), "twice"],
  ["a number as a map's key", withBody(0xa1, 1, 1), "key"],
  ["the key __proto__", withBody(0xa1, 0x69, ...Buffer.from("__proto__"), 0xa0), "__proto__"],
  ["the key constructor", withBody(0xa1, 0x6b, ...Buffer.from("constructor"), 0), "constructor"],
  ["text that is not UTF-8", withBody(0xa1, 0x61, 0x61, 0x62, 0xc3, 0x28), "UTF-8"],
  ["half a surrogate pair in UTF-8", withBody(0xa1, 0x61, 0x61, 0x63, 0xed, 0xa0, 0x80), "UTF-8"],
];

describe("a malformed frame", () => {
  it.each(malformed)("is refused after hello, with the reason: %s", async (_, message, reason) => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      client.send(message);
      const end = await client.closing();
      expect(end.error).toBe("INVALID_REQUEST");
      expect(end.message).toContain("malformed CBOR at byte");
      expect(end.message).toContain(reason);
      expect(end.code).toBe(1002);
      expect(end.reason).toContain("malformed frame");
    });
  });

  it("is refused before hello as well, whatever it is", async () => {
    await witness.during(async () => {
      for (const [name, message] of malformed) {
        const client = await RawClient.open(broker.port);
        client.send(message);
        const { error, code } = await client.closing();
        expect([name, error, code]).toEqual([name, "INVALID_REQUEST", 1002]);
      }
    });
  });

  it("is named in the log, with the client's address", () => {
    expect(broker.log).toMatch(/"remoteAddress":"127\.0\.0\.1:\d+".*malformed frame/);
  });

  it("takes no other request of the connection with it that was sent before", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      const first = client.request("describeCluster", {});
      client.send(bytes(0xff));
      expect((await first).error).toBe("NONE");
      expect((await client.closing()).error).toBe("INVALID_REQUEST");
    });
  });
});

describe("a body that is well-formed CBOR but no request", () => {
  const topic = { name: "x", partitions: 1, replicationFactor: 1, config: {} };
  const bodies: readonly (readonly [string, unknown, string])[] = [
    ["null", null, "body"],
    ["a number", 7, "body"],
    ["a list", [], "body"],
    ["a map without a required field", {}, "body/topics"],
    ["a field of the wrong type", { topics: 5, timeoutMs: 1 }, "body/topics"],
    ["an element of the wrong type", { topics: [topic, 5], timeoutMs: 1 }, "body/topics/1"],
    ["a number out of range", { topics: [topic], timeoutMs: -1 }, "body/timeoutMs"],
    [
      "a map of texts with a number in it",
      { topics: [{ ...topic, config: { "retention.ms": 5 } }], timeoutMs: 1 },
      "body/topics/0/config",
    ],
  ];

  it.each(bodies)(
    "gets INVALID_REQUEST naming the field, and the connection goes on: %s",
    async (_, body, field) => {
      await witness.during(async () => {
        const client = await RawClient.greeted(broker.port);
        client.send(encodeCbor([19, 0, 9, body]));
        const answer = await client.answer("createTopics");
        expect(answer.error).toBe("INVALID_REQUEST");
        expect(answer.message).toContain(field);
        expect((await client.request("describeCluster", {})).error).toBe("NONE");
        client.destroy();
      });
    },
  );

  it("may have keys nobody knows, which are ignored", async () => {
    const client = await RawClient.greeted(broker.port);
    client.send(encodeCbor([3, 0, 9, { topics: [], future: { deep: [1, 2, 3] } }]));
    expect((await client.answer("metadata")).error).toBe("NONE");
    client.destroy();
  });
});

describe("an oversized message", () => {
  it("is cut off with 1009 before hello beyond 16 KiB, as soon as it is announced", async () => {
    await witness.during(async () => {
      const client = await RawClient.open(broker.port);
      client.write(frameHeader(16 * 1024 + 1));
      expect((await client.closing()).code).toBe(1009);
    });
    expect(broker.log).toContain("a message exceeds 16384 bytes");
  });

  it("is cut off with 1009 after hello beyond the frame limit that hello told", async () => {
    await witness.during(async () => {
      const client = await RawClient.open(broker.port);
      const { maxFrameBytes } = (await client.hello()).body.limits;
      client.write(frameHeader(maxFrameBytes + 1));
      expect((await client.closing()).code).toBe(1009);
    });
  });

  it("is cut off when it announces 2^62 bytes, or grows too large in fragments", async () => {
    await witness.during(async () => {
      const huge = await RawClient.open(broker.port);
      const header = frameHeader(2 ** 20);
      header.writeBigUInt64BE(2n ** 62n, 2);
      huge.write(header);
      const grown = await RawClient.open(broker.port);
      const fragment = Buffer.alloc(4_096);
      grown.write(Buffer.concat([frameHeader(4_096, { isFinal: false }), fragment]));
      for (let count = 0; count < 4; count++) {
        const options = { isFinal: false, opcode: 0 };
        grown.write(Buffer.concat([frameHeader(4_096, options), fragment]));
      }
      expect([1006, 1009]).toContain((await huge.closing()).code);
      expect((await grown.closing()).code).toBe(1009);
    });
  });

  it("costs no memory: 200 announcements of 1 GiB stay under 64 MiB more", async () => {
    resetPeakMemory(broker.pid);
    const before = residentMemoryMib(broker.pid);
    await witness.during(async () => {
      const clients = await Promise.all(
        Array.from({ length: 200 }, () => RawClient.greeted(broker.port)),
      );
      for (const client of clients) {
        client.write(Buffer.concat([frameHeader(2 ** 30), Buffer.alloc(32 * 1024)]));
      }
      for (const client of clients) {
        expect([1006, 1009]).toContain((await client.closing()).code);
      }
    });
    expect(peakMemoryMib(broker.pid) - before).toBeLessThan(64);
  });
});

describe("a million small items", () => {
  it("are refused by their number within one frame", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      const body = Buffer.alloc(1_050_000, 0xf6);
      body.set([0x9a, 0, 0x10, 5, 0x8b]);
      client.send(Buffer.concat([bytes(0x84, 3, 0, 1), body]));
      const end = await client.closing();
      expect(end.error).toBe("INVALID_REQUEST");
      expect(end.message).toContain("items");
    });
  });
});
