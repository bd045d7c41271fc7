// Log lines about connections, few enough to read: a broker that is down for an hour makes one line every ten
// seconds, not one per attempt, and each says how many it stands for.

import type { MillraceError } from "@millrace/protocol";
import type { Clock, LogFields, Logger } from "@millrace/runtime";

const WARNING_INTERVAL_MS = 10_000;

/** Lets one event per interval through. Pure. */
export class RateLimit {
  readonly #intervalMs: number;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #suppressedCount = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** How many were held back since the last that went through; `undefined` when this one is held back too. */
  pass(nowMs: number): number | undefined {
    if (nowMs < this.#nextAtMs) {
      this.#suppressedCount++;
      return undefined;
    }
    const suppressedCount = this.#suppressedCount;
    this.#suppressedCount = 0;
    this.#nextAtMs = nowMs + this.#intervalMs;
    return suppressedCount;
  }
}

export class ConnectionLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #opened = new RateLimit(WARNING_INTERVAL_MS / 10);
  readonly #failed = new RateLimit(WARNING_INTERVAL_MS);
  readonly #broken = new RateLimit(WARNING_INTERVAL_MS);

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  opened(fields: LogFields): void {
    this.#write("info", this.#opened, fields, "connected");
  }

  failed(error: MillraceError, fields: LogFields): void {
    this.#write("warn", this.#failed, { ...fields, error: error.message }, "could not connect");
  }

  broken(error: MillraceError, fields: LogFields): void {
    this.#write("warn", this.#broken, { ...fields, error: error.message }, "connection lost");
  }

  #write(level: "info" | "warn", limit: RateLimit, fields: LogFields, message: string): void {
    const suppressed = limit.pass(this.#clock.monotonicMs());
    if (suppressed !== undefined) {
      this.#logger[level](suppressed === 0 ? fields : { ...fields, suppressed }, message);
    }
  }
}
