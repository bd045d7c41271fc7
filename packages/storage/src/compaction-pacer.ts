// Keeps a cleaning pass from being noticed: after a slice of work the event loop gets its turn, bytes read and written
// stay below a rate, and a pass that is to stop ends at the next of these points.

import type { Clock } from "@millrace/runtime";

/** Work between two turns of the event loop. */
const SLICE_MS = 2;
/** While appends wait, so much rest follows each slice, in lengths of the slice. */
const REST_WHEN_BUSY = 1;
/** The longest sleep: a pass that is told to stop wakes up after it. */
const SLEEP_MS_MAX = 250;

/** The pass was told to stop. */
export class CompactionStopped extends Error {
  override readonly name = "CompactionStopped";
}

export interface PacerOptions {
  readonly clock: Clock;
  /** Reads and writes together; infinite: no bound. */
  readonly maxBytesPerSecond: number;
  readonly isStopped: () => boolean;
  /** Somebody waits for the event loop. */
  readonly isBusy: () => boolean;
}

export class CompactionPacer {
  readonly #options: PacerOptions;
  readonly #startedMs: number;
  #sliceStartedMs: number;
  #bytes = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#sliceStartedMs = this.#startedMs;
  }

  /** Read and written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The slice is over: `breathe` is due. */
  get isDue(): boolean {
    return this.#options.clock.monotonicMs() - this.#sliceStartedMs >= SLICE_MS;
  }

  /** Lets the event loop do what waits. @throws CompactionStopped */
  async breathe(): Promise<void> {
    const { clock, isBusy } = this.#options;
    this.#assertRunning();
    const worked = clock.monotonicMs() - this.#sliceStartedMs;
    await new Promise<void>((resolve) => clock.defer(resolve));
    if (isBusy()) {
      await clock.sleep(worked * REST_WHEN_BUSY);
    }
    this.#assertRunning();
    this.#sliceStartedMs = clock.monotonicMs();
  }

  /** So much was read or written. @throws CompactionStopped */
  async charge(bytes: number): Promise<void> {
    const { clock, maxBytesPerSecond } = this.#options;
    this.#bytes += bytes;
    this.#assertRunning();
    for (;;) {
      const allowedMs = (this.#bytes / maxBytesPerSecond) * 1000;
      const aheadMs = allowedMs - (clock.monotonicMs() - this.#startedMs);
      if (aheadMs <= 0) {
        break;
      }
      await clock.sleep(Math.min(aheadMs, SLEEP_MS_MAX));
      this.#assertRunning();
    }
    // The wait for the disk was the event loop's turn as well.
    this.#sliceStartedMs = clock.monotonicMs();
  }

  #assertRunning(): void {
    if (this.#options.isStopped()) {
      throw new CompactionStopped("the cleaning was told to stop");
    }
  }
}
