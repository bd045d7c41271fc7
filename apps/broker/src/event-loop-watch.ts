// Notices when the event loop was held up: then nothing was answered, whoever asked. A timer that fires late says so and
// by how much. It only tells; what held the loop up is for a profiler to say.

import type { Clock, Logger, Timer } from "@millrace/runtime";

/** How often the loop is looked at: a stall is noticed when it outlasts the bound by this much at the latest. */
const INTERVAL_MS = 250;
/** Shorter ones are a busy machine's daily life. */
const STALL_MS = 500;

export class EventLoopWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  start(): void {
    const dueMs = this.#clock.monotonicMs() + INTERVAL_MS;
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => {
      const lateMs = Math.round(this.#clock.monotonicMs() - dueMs);
      if (lateMs > STALL_MS) {
        this.#logger.warn(
          { lateMs },
          "the event loop was held up: nothing was answered meanwhile (a busy or stopped machine, or too large a piece of work)",
        );
      }
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
