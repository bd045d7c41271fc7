// How much CPU a record costs when the same load goes to more partitions: lists of records, dealt out in turn, fsynced.

import type { Millrace, Producer } from "millrace";
import { cpuSeconds } from "./broker-process.js";

const LIST_RECORDS = 500;
const LISTS_AT_ONCE = 16;

export interface PartitionsRow {
  readonly recordBytes: number;
  readonly partitions: number;
  readonly recordsPerSecond: number;
  /** Of broker and client together. */
  readonly recordsPerCpuSecond: number;
  readonly brokerCpuPerMillion: number;
  readonly clientCpuPerMillion: number;
}

export const partitionsTopic = (recordBytes: number, partitions: number): string =>
  `spread-${recordBytes}-${partitions}`;

async function sendAll(
  producer: Producer,
  records: number,
  list: readonly object[],
): Promise<void> {
  let sent = 0;
  const lane = async (): Promise<void> => {
    while (sent < records) {
      sent += list.length;
      await producer.send(list as Parameters<Producer["send"]>[0]);
    }
  };
  await Promise.all(Array.from({ length: LISTS_AT_ONCE }, lane));
}

export async function measureSpread(
  client: Millrace,
  brokerPid: number,
  load: {
    readonly recordBytes: number;
    readonly partitions: number;
    readonly records: number;
  },
): Promise<PartitionsRow> {
  const { recordBytes, partitions, records } = load;
  const topic = partitionsTopic(recordBytes, partitions);
  await client.admin().createTopic(topic, { partitions });
  const producer = client.producer();
  const value = new Uint8Array(recordBytes).map((_, index) => (index * 31) & 0xff);
  const list = Array.from({ length: LIST_RECORDS }, (_, index) => ({
    topic,
    partition: index % partitions,
    value,
  }));
  await sendAll(producer, LIST_RECORDS * LISTS_AT_ONCE, list);
  const before = { client: cpuSeconds(process.pid), broker: cpuSeconds(brokerPid) };
  const start = performance.now();
  await sendAll(producer, records, list);
  const seconds = (performance.now() - start) / 1000;
  const broker = cpuSeconds(brokerPid) - before.broker;
  const own = cpuSeconds(process.pid) - before.client;
  await producer.close();
  await client.admin().deleteTopic(topic);
  return {
    recordBytes,
    partitions,
    recordsPerSecond: records / seconds,
    recordsPerCpuSecond: records / (broker + own),
    brokerCpuPerMillion: (broker * 1e6) / records,
    clientCpuPerMillion: (own * 1e6) / records,
  };
}
