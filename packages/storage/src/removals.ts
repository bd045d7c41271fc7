// Files of removed segments, on their way out: kept for `file.delete.delay.ms` and until their last reader left. After a
// stop in between, the next start removes them (they are named `.deleted`).

import type { Timer } from "@millrace/runtime";
import type { Segment } from "./segment.js";
import type { StorageRuntime } from "./storage-config.js";

export class Removals {
  readonly #runtime: StorageRuntime;
  readonly #waiting = new Map<Segment, Timer>();
  readonly #running = new Set<Promise<void>>();

  constructor(runtime: StorageRuntime) {
    this.#runtime = runtime;
  }

  removeLater(segment: Segment, delayMs: number): void {
    const timer = this.#runtime.clock.setTimer(delayMs, () => {
      this.#waiting.delete(segment);
      this.run(segment.path, () => segment.remove());
    });
    this.#waiting.set(segment, timer);
  }

  /** Does `work` in the background; a fault is logged, and the next start tries again. */
  run(path: string, work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => {
        this.#runtime.logger.warn({ path, error }, "could not be removed; the next start will");
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Closes what waits and lets what runs come to its end. */
  async close(): Promise<void> {
    for (const [segment, timer] of this.#waiting) {
      timer.cancel();
      this.run(segment.path, () => segment.close());
    }
    this.#waiting.clear();
    await Promise.all(this.#running);
  }
}
