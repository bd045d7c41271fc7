// An open-loop load: records leave by a schedule that nothing slows down, and every latency counts from the moment
// a record should have been sent. A stall therefore shows in all records it held up, not in one (coordinated
// omission, as Gil Tene named it).

import type { Producer } from "@millrace/client-producer";
import type { LatencyRecorder } from "./latency-recorder.js";
import { markPayload } from "./payloads.js";

export interface PacedLoadOptions {
  readonly producer: Producer;
  readonly topic: string;
  readonly recordBytes: number;
  readonly recordsPerSecond: number;
  readonly signal: AbortSignal;
  readonly acknowledgements: LatencyRecorder;
  /** Intended send times are entered here under the record's number. */
  readonly sendTimes: number[];
}

/** Beyond so many records without an answer the rate is too much for the broker, and the run says so. */
const IN_FLIGHT_MAX = 500_000;

export class PacedLoad {
  readonly #options: PacedLoadOptions;
  #inFlight = 0;
  #failure: unknown;
  #onSettled = (): void => {};

  constructor(options: PacedLoadOptions) {
    this.#options = options;
  }

  /** Sends for `seconds`, then waits for every answer. @returns records sent */
  async run(seconds: number): Promise<number> {
    const { recordsPerSecond, signal } = this.#options;
    const total = Math.round(recordsPerSecond * seconds);
    const start = performance.now();
    let sent = 0;
    while (sent < total) {
      signal.throwIfAborted();
      this.#throwFailure();
      const elapsedSeconds = (performance.now() - start) / 1000;
      const due = Math.min(total, Math.floor(elapsedSeconds * recordsPerSecond) + 1);
      for (; sent < due; sent += 1) {
        this.#send(start + (sent * 1000) / recordsPerSecond);
      }
      if (this.#inFlight > IN_FLIGHT_MAX) {
        throw new Error(`the broker does not keep up with ${recordsPerSecond} records/s`);
      }
      // A millisecond's worth of records leaves together: as fine as timers are.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#drain();
    return sent;
  }

  #send(intendedAt: number): void {
    const { producer, topic, recordBytes, sendTimes, acknowledgements } = this.#options;
    const value = markPayload(recordBytes, sendTimes.length);
    sendTimes.push(intendedAt);
    this.#inFlight += 1;
    producer
      .send({ topic, value })
      .then(
        () => acknowledgements.record(performance.now() - intendedAt),
        (error: unknown) => {
          this.#failure ??= error;
        },
      )
      .finally(() => {
        this.#inFlight -= 1;
        this.#onSettled();
      });
  }

  async #drain(): Promise<void> {
    while (this.#inFlight > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}
