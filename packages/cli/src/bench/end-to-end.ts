// Consumers that read along while records are produced: the time from sending a marked record to receiving it, on
// one process's clock.

import { Consumer } from "@millrace/client-consumer";
import { ClusterClient } from "@millrace/client-core";
import type { ClientRuntime } from "@millrace/runtime";
import type { BenchTopic } from "./bench-topic.js";
import { LatencyRecorder } from "./latency-recorder.js";
import { readMark } from "./payloads.js";

export interface EndToEndOptions {
  readonly runtime: ClientRuntime;
  readonly bootstrap: string;
  readonly topic: BenchTopic;
  /** When each marked record was (or should have been) sent, by its number; monotonic milliseconds. */
  readonly sendTimes: ArrayLike<number>;
  readonly consumers: number;
}

/** Waiting longer than this for records that were acknowledged means that something is broken. */
const CATCH_UP_TIMEOUT_MS = 60_000;

export class EndToEnd {
  readonly recorder = new LatencyRecorder();
  readonly #options: EndToEndOptions;
  readonly #clients: ClusterClient[] = [];
  readonly #consumers: Consumer[] = [];
  readonly #readers: Promise<void>[] = [];
  #received = 0;
  #failure: unknown;
  #onProgress = (): void => {};

  private constructor(options: EndToEndOptions) {
    this.#options = options;
  }

  /** Resolves when every consumer stands at the end of its partitions. */
  static async start(options: EndToEndOptions): Promise<EndToEnd> {
    const reading = new EndToEnd(options);
    const { topic } = options;
    const ends = await topic.endOffsets();
    const count = Math.min(options.consumers, topic.partitionCount);
    for (let index = 0; index < count; index += 1) {
      const partitions = ends.flatMap((offset, partition) =>
        partition % count === index ? [{ topic: topic.name, partition, offset }] : [],
      );
      reading.#open(partitions);
    }
    await Promise.all(reading.#consumers.map((consumer) => consumer.ready()));
    return reading;
  }

  get received(): number {
    return this.#received;
  }

  /** Resolves when `records` have been received in all. @throws what a consumer threw */
  async caughtUp(records: number): Promise<void> {
    const deadline = performance.now() + CATCH_UP_TIMEOUT_MS;
    while (this.#received < records) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (performance.now() > deadline) {
        throw new Error(`received ${this.#received} of ${records} records, then nothing for long`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#onProgress = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await Promise.all(this.#readers);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #open(partitions: readonly { topic: string; partition: number; offset: number }[]): void {
    const { runtime, bootstrap } = this.#options;
    const client = new ClusterClient({ runtime, bootstrap, clientId: "millrace-bench" });
    const consumer = new Consumer({ client, partitions });
    this.#clients.push(client);
    this.#consumers.push(consumer);
    this.#readers.push(this.#read(consumer));
  }

  /** Never rejects: a failure is kept for `caughtUp`. */
  async #read(consumer: Consumer): Promise<void> {
    const { sendTimes } = this.#options;
    try {
      for await (const batch of consumer.batches()) {
        const now = performance.now();
        for (const record of batch) {
          this.#received += 1;
          const mark = record.value === null ? undefined : readMark(record.value);
          const sentAt = mark === undefined ? undefined : sendTimes[mark];
          if (sentAt !== undefined) {
            this.recorder.record(now - sentAt);
          }
        }
        this.#onProgress();
      }
    } catch (error) {
      this.#failure = error;
    }
  }
}
