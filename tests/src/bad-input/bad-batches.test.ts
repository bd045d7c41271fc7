import { gzipSync } from "node:zlib";
import { computeBatchCrc, RecordBatchBuilder } from "@millrace/protocol";
import { nodeCompute } from "@millrace/runtime/node";
import { Millrace } from "millrace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import type { RawClient } from "./raw-client.js";
import { Scene, withGreeted } from "./scene.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
const TOPIC = "batches";
const MAX_BYTES = 4_096;
let broker: BrokerProcess;
let witness: Witness;
let topicId = "";

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
  const created = await witness.client
    .admin()
    .createTopic(TOPIC, { partitions: 2, config: { "max.message.bytes": MAX_BYTES } });
  topicId = String(created.topicId);
});
afterAll(() => scene.end());

function batchOf(...values: (string | Uint8Array)[]): Buffer {
  const builder = new RecordBatchBuilder();
  for (const value of values) {
    builder.append({ key: null, value, timestamp: Date.now() });
  }
  return Buffer.from(builder.build({ compute: nodeCompute }));
}

/** A batch of two records, changed, with a CRC that fits what it has become. */
function altered(change: (batch: Buffer) => Buffer | undefined): Buffer {
  const before = batchOf("one", "two");
  const batch = change(before) ?? before;
  batch.writeUInt32BE(computeBatchCrc(batch, 0, nodeCompute) >>> 0, 17);
  return batch;
}

async function produce(
  client: RawClient,
  ...batches: Buffer[]
): Promise<{ code: number; message: string; offset: number }[]> {
  const answer = await client.request(
    "produce",
    {
      acks: -1,
      timeoutMs: 10_000,
      partitions: batches.map((batch, partition) => ({
        topicId,
        partition,
        recordsLength: batch.length,
      })),
    },
    Buffer.concat(batches),
  );
  expect(answer.error).toBe("NONE");
  return answer.body.partitions.map(({ errorCode, errorMessage, baseOffset }) => ({
    code: errorCode,
    message: errorMessage ?? "",
    offset: baseOffset,
  }));
}

const CORRUPT = 2;
const TOO_LARGE = 10;
const INVALID_TIMESTAMP = 32;
const INVALID_RECORD = 87;

const refused: readonly (readonly [string, () => Buffer, number, string])[] = [
  ["no bytes at all", () => Buffer.alloc(0), CORRUPT, "has 0 bytes"],
  ["half a header", () => batchOf("x").subarray(0, 30), CORRUPT, "has 30 bytes"],
  ["all zeros", () => Buffer.alloc(100), CORRUPT, "format version 0"],
  ["noise", () => Buffer.alloc(200, 0xa5), CORRUPT, "format version"],
  [
    "a wrong CRC",
    () => {
      const batch = batchOf("one");
      batch.writeUInt32BE((batch.readUInt32BE(17) ^ 1) >>> 0, 17);
      return batch;
    },
    CORRUPT,
    "does not have the CRC it claims",
  ],
  [
    "a flipped bit in a value",
    () => {
      const batch = batchOf("one");
      batch[batch.length - 2] = (batch[batch.length - 2] ?? 0) ^ 0x40;
      return batch;
    },
    CORRUPT,
    "CRC",
  ],
  ["the old format", () => altered((b) => void b.writeInt8(1, 16)), CORRUPT, "format version 1"],
  [
    "a length beyond its end",
    () => altered((b) => void b.writeInt32BE(b.length, 8)),
    CORRUPT,
    "are there",
  ],
  ["a negative length", () => altered((b) => void b.writeInt32BE(-5, 8)), CORRUPT, "size of 7"],
  [
    "bytes behind its end",
    () => Buffer.concat([batchOf("one"), Buffer.alloc(5)]),
    INVALID_RECORD,
    "exactly one batch",
  ],
  [
    "two batches",
    () => Buffer.concat([batchOf("one"), batchOf("two")]),
    INVALID_RECORD,
    "exactly one batch",
  ],
  [
    "a count too small",
    () => altered((b) => void b.writeInt32BE(1, 57)),
    INVALID_RECORD,
    "1 record",
  ],
  ["a count too large", () => altered((b) => void b.writeInt32BE(3, 57)), CORRUPT, "claims 3"],
  [
    "a count and a delta too large",
    () =>
      altered((b) => {
        b.writeInt32BE(2 ** 31 - 1, 57);
        b.writeInt32BE(2 ** 31 - 2, 23);
        return b;
      }),
    CORRUPT,
    "record (2)",
  ],
  ["no records", () => altered((b) => void b.writeInt32BE(0, 57)), INVALID_RECORD, "has 0 records"],
  ["a negative count", () => altered((b) => void b.writeInt32BE(-1, 57)), CORRUPT, "claims -1"],
  [
    "a record longer than the batch",
    () => altered((b) => void b.writeUInt8(0x7e, 61)),
    CORRUPT,
    "record (0)",
  ],
  [
    "an unknown codec",
    () => altered((b) => void b.writeInt16BE(7, 21)),
    CORRUPT,
    "unknown compression codec (7)",
  ],
  [
    "reserved attribute bits",
    () => altered((b) => void b.writeInt16BE(0x0400, 21)),
    INVALID_RECORD,
    "attribute bits",
  ],
  [
    "a control batch",
    () => altered((b) => void b.writeInt16BE(0x20, 21)),
    INVALID_RECORD,
    "control batch",
  ],
  [
    "a base offset of its own",
    () => altered((b) => void b.writeBigInt64BE(7n, 0)),
    INVALID_RECORD,
    "producers write 0",
  ],
  [
    "an offset beyond 2^53",
    () => altered((b) => void b.writeBigInt64BE(2n ** 62n, 0)),
    CORRUPT,
    "impossible offsets",
  ],
  [
    "a timestamp in the year 3000",
    () => altered((b) => void b.writeBigInt64BE(32_503_680_000_000n, 35)),
    INVALID_TIMESTAMP,
    "future",
  ],
  [
    "a producer id without a sequence",
    () => altered((b) => void b.writeBigInt64BE(5n, 43)),
    INVALID_RECORD,
    "producer id",
  ],
];

describe("a record batch that is not one", () => {
  it.each(refused)("is refused alone, with the reason: %s", async (_, build, code, reason) => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const [bad, good] = await produce(client, build(), batchOf("beside it"));
        expect(bad?.code).toBe(code);
        expect(bad?.message).toContain(reason);
        expect(bad?.offset).toBe(-1);
        expect(good?.code).toBe(0);
      }),
    );
  });

  it("leaves nothing in the log: the next good batch gets offset 0", async () => {
    await withGreeted(broker.port, async (client) => {
      const [first] = await produce(client, batchOf("first"));
      expect(first).toEqual({ code: 0, message: "", offset: 0 });
    });
  });

  it("does not harm readers when its compressed content is a lie: they get CORRUPT_RECORD and can skip it", async () => {
    const lying = altered((batch) => {
      batch.writeInt16BE(1, 21);
      const content = gzipSync(Buffer.from("these are no records"));
      const whole = Buffer.concat([batch.subarray(0, 61), content]);
      whole.writeInt32BE(whole.length - 12, 8);
      return whole;
    });
    await witness.during(async () => {
      const offset = await withGreeted(broker.port, async (client) => {
        const [, taken] = await produce(client, batchOf("before"), lying);
        expect(taken?.code).toBe(0);
        await produce(client, batchOf("x"), batchOf("after the lie"));
        return taken?.offset ?? -1;
      });
      const partitions = [{ topic: TOPIC, partition: 1, offset }];
      const failing = witness.client.consumer({ partitions });
      await expect(failing[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: "CORRUPT_RECORD",
      });
      await failing.close();
      const skipping = witness.client.consumer({ partitions, onCorrupt: "skip" });
      const { value } = await skipping[Symbol.asyncIterator]().next();
      expect(value?.text()).toBe("after the lie");
      await skipping.close();
    });
  });
});

describe("records over max.message.bytes", () => {
  it("are MESSAGE_TOO_LARGE with both sizes, from one byte too many on", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const overhead = batchOf(Buffer.alloc(3_000)).length - 3_000;
        const fitting = batchOf(Buffer.alloc(MAX_BYTES - overhead));
        const large = batchOf(Buffer.alloc(MAX_BYTES - overhead + 1));
        expect(fitting.length).toBe(MAX_BYTES);
        const [taken] = await produce(client, fitting);
        expect(taken?.code).toBe(0);
        const [outcome] = await produce(client, large);
        expect(outcome?.code).toBe(TOO_LARGE);
        expect(outcome?.message).toContain(`${MAX_BYTES + 1} bytes`);
        expect(outcome?.message).toContain(`${MAX_BYTES} (max.message.bytes)`);
      }),
    );
  });

  it("fail an SDK's send with a clear error, and its other records go through", async () => {
    const client = new Millrace(broker.url);
    try {
      await witness.during(async () => {
        const producer = client.producer();
        const large = producer.send({ topic: TOPIC, partition: 0, value: Buffer.alloc(9_000) });
        const small = producer.send({ topic: TOPIC, partition: 0, value: "small" });
        await expect(large).rejects.toMatchObject({ code: "RECORD_TOO_LARGE", retriable: false });
        expect((await small).offset).toBeGreaterThan(0);
      });
    } finally {
      await client.close();
    }
  });
});

describe("a produce request that lies about its records", () => {
  const lies: readonly (readonly [string, number[], string])[] = [
    ["more bytes than came", [500], "claim 500 bytes"],
    ["fewer bytes than came", [1], "claim 1 bytes"],
    ["two partitions that claim the same bytes", [70, 70], "claim 140 bytes"],
  ];

  it.each(lies)("is INVALID_REQUEST as a whole: %s", async (_, lengths, reason) => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const partitions = lengths.map((recordsLength, partition) => ({
          topicId,
          partition,
          recordsLength,
        }));
        const body = { acks: -1, timeoutMs: 1_000, partitions };
        const answer = await client.request("produce", body, batchOf("x"));
        expect(answer.error).toBe("INVALID_REQUEST");
        expect(answer.message).toContain(reason);
      }),
    );
  });

  it("is INVALID_REQUEST as a whole: a partition twice", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const batch = batchOf("x");
        const entry = { topicId, partition: 0, recordsLength: batch.length };
        const body = { acks: -1, timeoutMs: 1_000, partitions: [entry, entry] };
        const answer = await client.request("produce", body, Buffer.concat([batch, batch]));
        expect(answer.error).toBe("INVALID_REQUEST");
        expect(answer.message).toContain("stands twice");
      }),
    );
  });
});
