// Apache Kafka through kafkajs. It has no accumulator: a call is a request, so that batching is the caller's, as its
// documentation says.

import { randomUUID } from "node:crypto";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";
import { REQUEST_TIMEOUT_MS, retry } from "../worker/retry.js";

// The warning about the partitioner of version 1 would end up in the log of every job.
process.env["KAFKAJS_NO_PARTITIONER_WARNING"] = "1";

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const connect = (): Kafka =>
    new Kafka({
      clientId: "bench",
      brokers: [job.address],
      logLevel: logLevel.ERROR,
      requestTimeout: REQUEST_TIMEOUT_MS,
    });
  const kafka = connect();
  const admin = kafka.admin();
  await admin.connect();
  const compression = workload.codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
  const countRecords = async (): Promise<number> => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  };
  return {
    createTopic: async () => {
      await admin.createTopics({
        waitForLeaders: false,
        topics: [
          {
            topic,
            numPartitions: workload.partitions,
            configEntries: Object.entries(job.topicConfig).map(([name, value]) => ({
              name,
              value,
            })),
          },
        ],
      });
      await retry(countRecords);
    },
    deleteTopic: () => admin.deleteTopics({ topics: [topic] }),
    countRecords,
    openProducer: async () => {
      const producer = connect().producer({ allowAutoTopicCreation: false });
      await producer.connect();
      const send = (values: readonly Uint8Array[]): Promise<unknown> =>
        producer.send({
          topic,
          acks: -1,
          compression,
          messages: values.map((value, index) => ({
            value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
            partition: index % workload.partitions,
          })),
        });
      return {
        send: (value) => send([value]),
        sendBatch: send,
        close: () => producer.disconnect(),
      };
    },
    openConsumer: async ({ onValue, onError }) => {
      const consumer = kafka.consumer({
        groupId: randomUUID(),
        allowAutoTopicCreation: false,
        maxBytesPerPartition: 1024 * 1024,
        maxWaitTimeInMs: 500,
      });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      const joined = new Promise((resolve) => consumer.on(consumer.events.FETCH_START, resolve));
      consumer.on(consumer.events.CRASH, ({ payload }) => onError(payload.error));
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) {
            if (value !== null) {
              onValue(value);
            }
          }
        },
      });
      await joined;
      return { close: () => consumer.disconnect() };
    },
    close: () => admin.disconnect(),
  };
}
