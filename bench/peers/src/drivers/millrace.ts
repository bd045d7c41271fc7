// Millrace through its SDK, as an application would use it.

import { type Consumer, Millrace } from "millrace";
import type { Driver } from "../driver.js";
import type { Job } from "../job.js";

async function readAll(consumer: Consumer, onValue: (value: Uint8Array) => void): Promise<void> {
  for await (const batch of consumer.batches()) {
    for (const record of batch) {
      if (record.value !== null) {
        onValue(record.value);
      }
    }
  }
}

export async function createDriver(job: Job): Promise<Driver> {
  const { topic, workload } = job;
  const client = new Millrace(job.address);
  const admin = client.admin();
  const partitionOf = (index: number): number => index % workload.partitions;
  return {
    createTopic: async () => {
      await admin.createTopic(topic, { partitions: workload.partitions, config: job.topicConfig });
    },
    deleteTopic: async () => {
      await admin.deleteTopic(topic);
    },
    countRecords: async () => {
      const ends = await admin.listOffsets(topic, "latest");
      return ends.reduce((sum, { offset }) => sum + (offset ?? 0), 0);
    },
    openProducer: async () => {
      const own = new Millrace(job.address);
      const producer = own.producer({
        batchBytes: 1024 * 1024,
        maxRequestBytes: 1024 * 1024,
        lingerMs: job.lingerMs,
        compression: workload.codec,
      });
      return {
        send: (value) => producer.send({ topic, value }),
        sendBatch: (values) =>
          producer.send(
            values.map((value, index) => ({ topic, value, partition: partitionOf(index) })),
          ),
        close: () => own.close(),
      };
    },
    openConsumer: async ({ onValue, onError }) => {
      const consumer = client.consumer({ topics: topic, from: "earliest" });
      await consumer.ready();
      const reading = readAll(consumer, onValue).catch(onError);
      return {
        close: async () => {
          await consumer.close();
          await reading;
        },
      };
    },
    close: () => client.close(),
  };
}
