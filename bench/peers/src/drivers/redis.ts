// Redis Streams through ioredis: XADD, with automatic pipelining for single records and explicit pipelines for many.
// A partition is a key of its own.

import { Redis } from "ioredis";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";

const READ_COUNT = 5_000;
const BLOCK_MS = 200;

/** `[[key, [[id, [field, value]], ...]], ...]` */
type Reply = [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][] | null;

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const [host, port] = job.address.split(":");
  const open = (enableAutoPipelining: boolean): Redis =>
    new Redis({ host: host ?? "127.0.0.1", port: Number(port), enableAutoPipelining });
  const client = open(false);
  const keys = Array.from({ length: workload.partitions }, (_, index) => `${topic}-${index}`);
  const bytes = (value: Uint8Array): Buffer =>
    Buffer.from(value.buffer, value.byteOffset, value.byteLength);

  /** Reads all keys until told to stop; `positions` holds the last id of each. */
  async function read(
    reader: Redis,
    positions: Map<string, string>,
    { onValue, isStopped }: { onValue: (value: Uint8Array) => void; isStopped: () => boolean },
  ): Promise<void> {
    while (!isStopped()) {
      const reply = (await reader.xreadBuffer(
        ...(["COUNT", READ_COUNT, "BLOCK", BLOCK_MS, "STREAMS"] as const),
        ...positions.keys(),
        ...positions.values(),
      )) as Reply;
      for (const [key, entries] of reply ?? []) {
        for (const [, fields] of entries) {
          onValue(fields[1] as Buffer);
        }
        const last = entries.at(-1)?.[0];
        if (last !== undefined) {
          positions.set(key.toString(), last.toString());
        }
      }
    }
  }

  return {
    // A stream comes to be with its first record.
    createTopic: async () => undefined,
    deleteTopic: async () => {
      await client.del(...keys);
    },
    countRecords: async () => {
      const lengths = await Promise.all(keys.map((key) => client.xlen(key)));
      return lengths.reduce((sum, length) => sum + length, 0);
    },
    openProducer: async () => {
      const own = open(true);
      return {
        send: (value) => own.xadd(keys[0] as string, "*", "v", bytes(value)),
        sendBatch: async (values) => {
          const pipeline = own.pipeline();
          values.forEach((value, index) => {
            pipeline.xadd(keys[index % keys.length] as string, "*", "v", bytes(value));
          });
          for (const [error] of (await pipeline.exec()) ?? []) {
            if (error !== null) {
              throw error;
            }
          }
        },
        close: () => own.quit(),
      };
    },
    openConsumer: async ({ onValue, onError }) => {
      const reader = open(false);
      await reader.ping();
      const positions = new Map(keys.map((key) => [key, "0"]));
      let stopped = false;
      const reading = read(reader, positions, { onValue, isStopped: () => stopped }).catch(onError);
      return {
        close: async () => {
          stopped = true;
          await reading;
          reader.disconnect();
        },
      };
    },
    close: async () => {
      await client.quit();
    },
  };
}
