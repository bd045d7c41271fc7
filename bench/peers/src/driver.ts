// What a workload needs of a client library. Each driver says it in the words of its library, with the settings its
// documentation recommends for throughput, and adds nothing of its own.

import type { Job } from "./job.js";

export interface ProducerPort {
  /** One record, to the only partition. Resolves with its acknowledgement. */
  send(value: Uint8Array): Promise<unknown>;
  /**
   * Many records in the way the library has for many; record `i` goes to partition `i` modulo the partitions.
   * Resolves when all are acknowledged.
   */
  sendBatch(values: readonly Uint8Array[]): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface ConsumerPort {
  close(): Promise<unknown>;
}

export interface Driver {
  createTopic(): Promise<void>;
  deleteTopic(): Promise<void>;
  /** Records in the topic, by the server's own count. */
  countRecords(): Promise<number>;
  /** With a connection of its own. Resolves when it is connected. */
  openProducer(): Promise<ProducerPort>;
  /**
   * Reads every partition from its start and hands over values, until it is closed. For a live reader it is opened
   * while the topic is empty.
   */
  openConsumer(options: {
    readonly onValue: (value: Uint8Array) => void;
    readonly onError: (error: unknown) => void;
  }): Promise<ConsumerPort>;
  close(): Promise<void>;
}

export type DriverFactory = (job: Job) => Promise<Driver>;
