// NATS JetStream through its own client. Many records go as atomic batches (nats-server 2.12 and later, at most 1,000
// messages each): the fastest way to send many that the client's public interface has, and each batch is acknowledged
// once, when it is stored.

import {
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";

const ATOMIC_BATCH_MAX = 1_000;
/** Beginning a batch is a round trip of its own: a few messages are better sent by themselves. */
const ATOMIC_BATCH_MIN = 50;
/** The server takes 50 batches at a time per stream; the caller has up to five calls on their way. */
const BATCHES_AT_ONCE = 8;
const PULL_AHEAD_RECORDS = 10_000;
/**
 * The server ends a connection to which more than 64 MB wait to be sent (its `max_pending`), so what is asked for ahead
 * is bounded in bytes too: 10,000 records of 10 KiB would be more than that.
 */
const PULL_AHEAD_BYTES = 16 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const open = () => connect({ servers: job.address, timeout: TIMEOUT_MS });
  const connection = await open();
  const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
  return {
    createTopic: async () => {
      await manager.streams.add({
        name: topic,
        subjects: [topic],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        num_replicas: 1,
        allow_atomic: true,
      });
    },
    deleteTopic: async () => {
      await manager.streams.delete(topic);
    },
    countRecords: async () => (await manager.streams.info(topic)).state.messages,
    openProducer: async () => {
      const own = await open();
      const client = jetstream(own, { timeout: TIMEOUT_MS });
      const sendAtomically = async (values: readonly Uint8Array[]): Promise<void> => {
        const batch = await client.startBatch(topic, values[0]);
        for (const value of values.slice(1, -1)) {
          batch.add(topic, value);
        }
        await batch.commit(topic, values.at(-1));
      };
      const sendGroup = (values: readonly Uint8Array[]): Promise<unknown> =>
        values.length < ATOMIC_BATCH_MIN
          ? Promise.all(values.map((value) => client.publish(topic, value)))
          : sendAtomically(values);
      return {
        send: (value) => client.publish(topic, value),
        sendBatch: async (values) => {
          const step = ATOMIC_BATCH_MAX * BATCHES_AT_ONCE;
          for (let start = 0; start < values.length; start += step) {
            const wave = values.slice(start, start + step);
            const groups = Array.from(
              { length: Math.ceil(wave.length / ATOMIC_BATCH_MAX) },
              (_, group) => wave.slice(group * ATOMIC_BATCH_MAX, (group + 1) * ATOMIC_BATCH_MAX),
            );
            await Promise.all(groups.map(sendGroup));
          }
        },
        close: () => own.close(),
      };
    },
    openConsumer: async ({ onValue, onError }) => {
      const consumer = await jetstream(connection).consumers.get(topic, {
        deliver_policy: DeliverPolicy.All,
      });
      const messages = await consumer.consume({
        max_messages: Math.min(
          PULL_AHEAD_RECORDS,
          Math.ceil(PULL_AHEAD_BYTES / workload.recordBytes),
        ),
        callback: (message) => onValue(message.data),
      });
      void messages.closed().then((reason) => {
        if (reason instanceof Error) {
          onError(reason);
        }
      });
      return { close: () => messages.close() };
    },
    close: () => connection.close(),
  };
}
