// Apache Kafka through @confluentinc/kafka-javascript (librdkafka), in the form that resembles kafkajs. It lives in the
// harness's cache, because its native part has to be fetched or built when it is installed.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as KafkaJs from "kafkajs";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";
import { cacheDirectory } from "../places.js";
import { REQUEST_TIMEOUT_MS, retry } from "../worker/retry.js";

/** The part of its interface used here is kafkajs's, with options in a block of their own. */
interface ConfluentModule {
  readonly KafkaJS: {
    readonly Kafka: new (
      options: object,
    ) => {
      producer(options: object): KafkaJs.Producer;
      consumer(options: object): KafkaJs.Consumer;
      admin(options: object): KafkaJs.Admin;
    };
  };
}

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const require = createRequire(join(cacheDirectory, "confluent", "package.json"));
  const { KafkaJS } = require("@confluentinc/kafka-javascript") as ConfluentModule;
  const kafka = new KafkaJS.Kafka({ kafkaJS: { clientId: "bench", brokers: [job.address] } });
  const admin = kafka.admin({});
  await admin.connect();
  const countRecords = async (): Promise<number> => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  };
  return {
    createTopic: async () => {
      await admin.createTopics({ topics: [{ topic, numPartitions: workload.partitions }] });
      await retry(countRecords);
    },
    deleteTopic: () => admin.deleteTopics({ topics: [topic] }),
    countRecords,
    openProducer: async () => {
      const producer = kafka.producer({
        kafkaJS: { acks: -1, compression: workload.codec },
        "linger.ms": job.lingerMs,
        "batch.size": 1024 * 1024,
        "queue.buffering.max.messages": 1_000_000,
        "request.timeout.ms": REQUEST_TIMEOUT_MS,
        "socket.timeout.ms": REQUEST_TIMEOUT_MS,
        "message.timeout.ms": REQUEST_TIMEOUT_MS,
      });
      await producer.connect();
      const sendBatch = (values: readonly Uint8Array[]): Promise<unknown> =>
        producer.send({
          topic,
          messages: values.map((value, index) => ({
            value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
            partition: index % workload.partitions,
          })),
        });
      return { send: (value) => sendBatch([value]), sendBatch, close: () => producer.disconnect() };
    },
    openConsumer: async ({ onValue }) => {
      const consumer = kafka.consumer({
        kafkaJS: { groupId: randomUUID(), fromBeginning: true, autoCommit: false },
      });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic] });
      await consumer.run({
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) {
            if (value !== null) {
              onValue(value);
            }
          }
        },
      });
      return { close: () => consumer.disconnect() };
    },
    close: () => admin.disconnect(),
  };
}
