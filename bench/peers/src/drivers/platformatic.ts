// Apache Kafka through @platformatic/kafka. Like kafkajs it sends what a call gives it as one request.

import { randomUUID } from "node:crypto";
import { Admin, Consumer, ListOffsetTimestamps, Producer } from "@platformatic/kafka";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";
import { REQUEST_TIMEOUT_MS, retry } from "../worker/retry.js";

const ACKS_ALL = -1;

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const common = {
    clientId: "bench",
    bootstrapBrokers: [job.address],
    timeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  };
  const admin = new Admin(common);
  const partitions = Array.from({ length: workload.partitions }, (_, index) => index);
  const countRecords = async (): Promise<number> => {
    const [listed] = await admin.listOffsets({
      topics: [
        {
          name: topic,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            timestamp: ListOffsetTimestamps.LATEST,
          })),
        },
      ],
    });
    return (listed?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
  };
  return {
    createTopic: async () => {
      await admin.createTopics({
        topics: [topic],
        partitions: workload.partitions,
        replicas: 1,
        configs: Object.entries(job.topicConfig).map(([name, value]) => ({ name, value })),
      });
      await retry(countRecords);
    },
    deleteTopic: async () => {
      await admin.deleteTopics({ topics: [topic] });
    },
    countRecords,
    openProducer: async () => {
      const producer = new Producer({ ...common, autocreateTopics: false });
      const send = (values: readonly Uint8Array[]): Promise<unknown> =>
        producer.send({
          acks: ACKS_ALL,
          ...(workload.codec === "none" ? {} : { compression: workload.codec }),
          messages: values.map((value, index) => ({
            topic,
            value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
            partition: index % workload.partitions,
          })),
        });
      return { send: (value) => send([value]), sendBatch: send, close: () => producer.close() };
    },
    openConsumer: async ({ onValue, onError }) => {
      const consumer = new Consumer({ ...common, groupId: randomUUID() });
      const stream = await consumer.consume({
        topics: [topic],
        mode: "earliest",
        autocommit: false,
        maxWaitTime: 500,
        maxBytes: 50 * 1024 * 1024,
      });
      stream.on("data", (message) => onValue(message.value));
      stream.on("error", onError);
      return {
        close: async () => {
          await stream.close();
          await consumer.close(true);
        },
      };
    },
    close: async () => {
      await admin.close();
    },
  };
}
