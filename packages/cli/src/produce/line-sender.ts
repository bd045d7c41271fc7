// Sends lines in bulk, with a bound on how many wait for their acknowledgement. Knows the producer, not the
// terminal.

import type { Producer, ProducerRecord } from "@millrace/client-producer";

const CHUNK_LINES = 500;
const CHUNKS_IN_FLIGHT_MAX = 32;
/** A chunk also leaves when so many bytes wait in it. */
const CHUNK_BYTES = 256 * 1024;
/** ... or when lines come slowly. */
const IDLE_MS = 20;

export interface LineSenderOptions {
  readonly producer: Producer;
  readonly toRecord: (line: Buffer) => ProducerRecord;
  readonly signal: AbortSignal;
}

export class LineSender {
  readonly #options: LineSenderOptions;
  readonly #inFlight = new Set<Promise<void>>();
  readonly perPartition = new Map<number, number>();
  #chunk: ProducerRecord[] = [];
  #chunkBytes = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #failure: unknown;
  handedIn = 0;
  acknowledged = 0;

  constructor(options: LineSenderOptions) {
    this.#options = options;
  }

  /** Waits while too much is on its way. @throws what sending an earlier line threw */
  async add(line: Buffer): Promise<void> {
    this.#throwFailure();
    this.#chunk.push(this.#options.toRecord(line));
    this.#chunkBytes += line.length;
    this.handedIn += 1;
    if (this.#chunk.length >= CHUNK_LINES || this.#chunkBytes >= CHUNK_BYTES) {
      this.#send();
      while (this.#inFlight.size >= CHUNKS_IN_FLIGHT_MAX) {
        await Promise.race(this.#inFlight);
      }
    } else {
      this.#idleTimer ??= setTimeout(() => this.#send(), IDLE_MS);
    }
  }

  /** Sends what is left and waits for all. @throws what sending threw */
  async finish(): Promise<void> {
    this.#send();
    await Promise.all(this.#inFlight);
    this.#throwFailure();
  }

  #send(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (this.#chunk.length === 0) {
      return;
    }
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#chunkBytes = 0;
    const sending = this.#sendChunk(chunk).finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  /** Never rejects: a failure is kept for the next `add` or `finish`. */
  async #sendChunk(chunk: readonly ProducerRecord[]): Promise<void> {
    try {
      const sent = await this.#options.producer.send(chunk, { signal: this.#options.signal });
      for (const { partition } of sent) {
        this.perPartition.set(partition, (this.perPartition.get(partition) ?? 0) + 1);
      }
      this.acknowledged += chunk.length;
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}
