// The produce load: as many records as asked through as many producers as asked, handed over in chunks, with a
// bound on what is on its way, so that latencies mean something. Can rest and go on, for the disk's slices.

import { ClusterClient } from "@millrace/client-core";
import { Producer, type ProducerRecord } from "@millrace/client-producer";
import type { ClientRuntime } from "@millrace/runtime";
import type { LatencyRecorder } from "./latency-recorder.js";
import { createPayloads, MARK_BYTES, markPayload } from "./payloads.js";
import type { RateSamples } from "./rate-samples.js";

export interface LoadOptions {
  readonly runtime: ClientRuntime;
  readonly bootstrap: string;
  readonly topic: string;
  readonly recordBytes: number;
  readonly producers: number;
  readonly acks: 0 | 1 | "all";
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** Bytes of records without an acknowledgement, per producer. */
  readonly windowBytes: number;
  readonly signal: AbortSignal;
  readonly acknowledgements: LatencyRecorder;
  readonly samples: RateSamples;
  /** When given, one record of each chunk is marked: its send time is entered here under its number. */
  readonly sendTimes?: number[] | undefined;
  readonly onProgress: (acknowledged: number) => void;
}

const CHUNK_RECORDS_MAX = 500;
const CHUNK_BYTES = 32 * 1024;

interface Lane {
  readonly client: ClusterClient;
  readonly producer: Producer;
  /** Chunks of records that take turns. */
  readonly chunks: readonly (readonly ProducerRecord[])[];
  nextChunk: number;
}

export class ProduceLoad {
  readonly #options: LoadOptions;
  readonly #lanes: readonly Lane[];
  readonly #chunkRecords: number;
  #acknowledged = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { recordBytes } = options;
    const fitting = Math.floor(CHUNK_BYTES / Math.max(1, recordBytes));
    this.#chunkRecords = Math.max(1, Math.min(CHUNK_RECORDS_MAX, fitting));
    const chunks = this.#makeChunks();
    this.#lanes = Array.from({ length: options.producers }, () => this.#openLane(chunks));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Sends `records` and waits until all are acknowledged. @returns seconds it took */
  async run(records: number): Promise<number> {
    const { samples } = this.#options;
    const start = performance.now();
    samples.add(0, start);
    const share = Math.floor(records / this.#lanes.length);
    const extra = records - share * this.#lanes.length;
    await Promise.all(
      this.#lanes.map((lane, index) => this.#runLane(lane, share + (index < extra ? 1 : 0))),
    );
    const end = performance.now();
    samples.pause();
    return (end - start) / 1000;
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) {
      await lane.producer.close();
      await lane.client.close();
    }
  }

  #makeChunks(): ProducerRecord[][] {
    const records = createPayloads(this.#options.recordBytes).map((value) => ({
      topic: this.#options.topic,
      value,
    }));
    const count = Math.max(1, Math.floor(records.length / this.#chunkRecords));
    return Array.from({ length: count }, (_, chunk) =>
      Array.from(
        { length: this.#chunkRecords },
        (_, index) => records[(chunk * this.#chunkRecords + index) % records.length],
      ).filter((record) => record !== undefined),
    );
  }

  #openLane(chunks: Lane["chunks"]): Lane {
    const { runtime, bootstrap, acks, batchBytes, lingerMs, compression } = this.#options;
    const client = new ClusterClient({ runtime, bootstrap, clientId: "millrace-bench" });
    const maxRequestBytes = Math.max(1024 * 1024, batchBytes);
    const producer = new Producer({
      client,
      acks,
      batchBytes,
      maxRequestBytes,
      lingerMs,
      compression,
    });
    return { client, producer, chunks, nextChunk: 0 };
  }

  async #runLane(lane: Lane, records: number): Promise<void> {
    const { recordBytes, windowBytes, signal } = this.#options;
    const inFlight = new Set<Promise<void>>();
    const chunkBytes = Math.max(1, this.#chunkRecords * recordBytes);
    const inFlightMax = Math.max(1, Math.floor(windowBytes / chunkBytes));
    for (let left = records; left > 0; ) {
      signal.throwIfAborted();
      const chunk = this.#nextChunk(lane, Math.min(left, this.#chunkRecords));
      left -= chunk.length;
      const sending = this.#send(lane.producer, chunk).finally(() => inFlight.delete(sending));
      inFlight.add(sending);
      if (inFlight.size >= inFlightMax) {
        await Promise.race(inFlight);
      }
    }
    await Promise.all(inFlight);
  }

  #nextChunk(lane: Lane, length: number): readonly ProducerRecord[] {
    const chunk = lane.chunks[lane.nextChunk] ?? [];
    lane.nextChunk = (lane.nextChunk + 1) % lane.chunks.length;
    const cut = length === chunk.length ? chunk : chunk.slice(0, length);
    const { sendTimes, recordBytes, topic } = this.#options;
    if (sendTimes === undefined || recordBytes < MARK_BYTES) {
      return cut;
    }
    const marked = { topic, value: markPayload(recordBytes, sendTimes.length) };
    sendTimes.push(performance.now());
    return [marked, ...cut.slice(1)];
  }

  async #send(producer: Producer, chunk: readonly ProducerRecord[]): Promise<void> {
    const { acknowledgements, samples, onProgress, acks } = this.#options;
    const start = performance.now();
    await producer.send(chunk);
    const end = performance.now();
    if (acks !== 0) {
      acknowledgements.record(end - start, chunk.length);
    }
    samples.add(chunk.length, end);
    this.#acknowledged += chunk.length;
    onProgress(this.#acknowledged);
  }
}
