import { encodeCbor, MillraceError, RecordBatchBuilder } from "@millrace/protocol";
import { nodeCompute } from "@millrace/runtime/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyRecord } from "./apply.js";
import type { CommandContext } from "./commands/command.js";
import { commands } from "./commands/index.js";
import { freezeImage, imageRecords } from "./image-records.js";
import { emptyImage } from "./metadata-image.js";
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from "./metadata-record.js";
import { encodeMetadataBatch, replayBatches } from "./replay.js";

const names = ["a", "b.c", "b_c", "d"] as const;
const name = fc.constantFrom(...names);
const command = fc.oneof(
  fc.record({
    command: fc.constant("createTopics" as const),
    request: fc.record({
      topics: fc.array(
        fc.record({
          name,
          partitions: fc.integer({ min: -1, max: 4 }),
          replicationFactor: fc.constantFrom(1, 2, -1),
          config: fc.constantFrom<Record<string, string>>({}, { "retention.ms": "5" }),
        }),
        { maxLength: 3 },
      ),
      validateOnly: fc.boolean(),
    }),
  }),
  fc.record({
    command: fc.constant("deleteTopics" as const),
    request: fc.record({ names: fc.array(name, { maxLength: 2 }), topicIds: fc.constant([]) }),
  }),
  fc.record({
    command: fc.constant("createPartitions" as const),
    request: fc.record({
      topics: fc.array(fc.record({ name, totalCount: fc.integer({ min: 1, max: 8 }) }), {
        maxLength: 2,
      }),
      validateOnly: fc.constant(false),
    }),
  }),
  fc.record({
    command: fc.constant("alterConfigs" as const),
    request: fc.record({
      resources: fc.array(
        fc.record({
          type: fc.constant("topic" as const),
          name,
          operations: fc.constantFrom(
            [{ operation: "set" as const, key: "retention.bytes", value: "9" }],
            [{ operation: "delete" as const, key: "retention.ms", value: null }],
          ),
        }),
        { maxLength: 2 },
      ),
      validateOnly: fc.constant(false),
    }),
  }),
  fc.constant({ command: "allocateProducerIds" as const, request: { nodeId: 0 } }),
  fc.record({
    command: fc.constant("registerBroker" as const),
    request: fc.integer({ min: 0, max: 2 }).map((nodeId) => ({
      nodeId,
      incarnationId: "00000000-0000-4000-8000-000000000001",
      directoryId: `00000000-0000-4000-8000-00000000000${nodeId}`,
      url: "ws://127.0.0.1:9092",
      rack: null,
      softwareVersion: "1.0.0",
    })),
  }),
);

function context(): CommandContext {
  let count = 0;
  return {
    nowMs: 1,
    randomUuid: () => {
      count += 1;
      return `00000000-0000-4000-8000-${count.toString(16).padStart(12, "0")}`;
    },
    policy: {
      defaultPartitions: 2,
      defaultReplicationFactor: 1,
      clampReplication: true,
      maxPartitionsPerTopic: 100,
      maxPartitions: 1000,
      topicDefaults: {},
    },
  };
}

const first = {
  command: "registerBroker" as const,
  request: {
    nodeId: 0,
    incarnationId: "00000000-0000-4000-8000-000000000001",
    directoryId: "00000000-0000-4000-8000-000000000000",
    url: null,
    rack: null,
    softwareVersion: "1.0.0",
  },
};

describe("the metadata log", () => {
  it("replayed from its bytes gives the image that the commands made", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25 }), (list) => {
        const live = emptyImage();
        const given = context();
        const log: Uint8Array[] = [];
        for (const { command: commandName, request } of [first, ...list]) {
          const handler = commands[commandName] as (...all: unknown[]) => {
            ok: boolean;
            records?: MetadataRecord[];
          };
          const { records = [] } = handler(live, request, given);
          for (const record of records) {
            applyRecord(live, record);
          }
          if (records.length > 0) {
            log.push(encodeMetadataBatch(records, 1, nodeCompute));
          }
        }
        const replayed = emptyImage();
        const bytes = Buffer.concat(log);
        replayBatches(replayed, new Uint8Array(bytes), nodeCompute);
        expect(replayed).toEqual(live);
      }),
      { numRuns: 200 },
    );
  });

  it("written as a snapshot gives the image of that moment, whatever happens while it is written", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25 }), fc.nat(25), (list, at) => {
        const image = emptyImage();
        const given = context();
        let frozen = freezeImage(image);
        let expected = structuredClone(image);
        for (const [index, { command: commandName, request }] of [first, ...list].entries()) {
          if (index === at) {
            frozen = freezeImage(image);
            expected = structuredClone(image);
          }
          const handler = commands[commandName] as (...all: unknown[]) => {
            records?: MetadataRecord[];
          };
          for (const record of handler(image, request, given).records ?? []) {
            applyRecord(image, record);
          }
        }
        const removed = names.map((topic, index) => ({
          name: topic,
          topicId: `00000000-0000-4000-8001-00000000000${index}`,
          isInternal: false,
        }));
        const restored = emptyImage();
        for (const record of imageRecords(frozen, removed)) {
          applyRecord(restored, decodeMetadataRecord(encodeMetadataRecord(record)));
        }
        expect(restored).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it("names every topic both by id and by name, and counts all partitions", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25 }), (list) => {
        const image = emptyImage();
        const given = context();
        for (const { command: commandName, request } of [first, ...list]) {
          const handler = commands[commandName] as (...all: unknown[]) => {
            records?: MetadataRecord[];
          };
          for (const record of handler(image, request, given).records ?? []) {
            applyRecord(image, record);
          }
        }
        const byId = [...image.topicsById.values()];
        expect(byId).toEqual([...image.topicsByName.values()]);
        expect(image.topicNamesByMetricName.size).toBe(byId.length);
        const total = byId.reduce((sum, topic) => sum + topic.partitions.length, 0);
        expect(image.partitionCount).toBe(total);
      }),
      { numRuns: 100 },
    );
  });

  it("refuses a batch whose CRC does not fit", () => {
    const batch = encodeMetadataBatch(
      [{ kind: "featureLevel", body: { name: "metadata.version", level: 1 } }],
      1,
      nodeCompute,
    );
    batch[batch.length - 1] = (batch.at(-1) ?? 0) ^ 1;
    expect(() => replayBatches(emptyImage(), batch, nodeCompute)).toThrow("damaged at offset 0");
  });

  it("refuses a record of a kind or version it does not know", () => {
    for (const item of [
      [999, 0, {}],
      [2, 1, {}],
    ]) {
      const bytes = encodeCbor(item);
      expect(() => decodeMetadataRecord(bytes)).toThrow("which this version does not know");
    }
  });

  it("refuses records that contradict the image", () => {
    const topicId = "00000000-0000-4000-8000-000000000001";
    const contradictions: MetadataRecord[] = [
      { kind: "removeTopic", body: { topicId } },
      { kind: "producerIds", body: { nodeId: 0, nextProducerId: 0 } },
      {
        kind: "partitionChange",
        body: { topicId, partition: 0, leader: 0, leaderEpoch: 1, partitionEpoch: 1, isr: [] },
      },
    ];
    for (const record of contradictions) {
      expect(() => applyRecord(emptyImage(), record)).toThrow(MillraceError);
    }
  });

  it("refuses a record without a value", () => {
    const builder = new RecordBatchBuilder();
    builder.append({ key: null, value: null, timestamp: 0 });
    const batch = builder.build({ compute: nodeCompute });
    expect(() => replayBatches(emptyImage(), batch, nodeCompute)).toThrow(MillraceError);
  });

  it("reads back every kind of record as it was written", () => {
    const topicId = "00000000-0000-4000-8000-000000000001";
    const records: MetadataRecord[] = [
      { kind: "registerBroker", body: { ...first.request, brokerEpoch: 2 ** 40, rack: "r" } },
      { kind: "topic", body: { name: "t", topicId, isInternal: true } },
      { kind: "removeTopic", body: { topicId } },
      {
        kind: "config",
        body: { resourceType: "topic", resourceName: "t", key: "k", value: null },
      },
      { kind: "featureLevel", body: { name: "f", level: 3 } },
      { kind: "producerIds", body: { nodeId: -1, nextProducerId: 2 ** 45 } },
      {
        kind: "partition",
        body: {
          topicId,
          partition: 3,
          replicas: [1, 2],
          isr: [2],
          leader: 2,
          leaderEpoch: 4,
          partitionEpoch: 5,
        },
      },
      {
        kind: "partitionChange",
        body: { topicId, partition: 3, leader: -1, leaderEpoch: 5, partitionEpoch: 6, isr: [2] },
      },
    ];
    for (const record of records) {
      expect(decodeMetadataRecord(encodeMetadataRecord(record))).toEqual(record);
    }
  });
});
