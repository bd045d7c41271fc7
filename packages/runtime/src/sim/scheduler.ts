// Virtual time: takes the next event, moves the clock to it, runs it. Knows nothing of disks or networks.

import { type EventInput, EventQueue, type SimEvent } from "./event-queue.js";
import type { Trace } from "./trace.js";

/**
 * Virtual time is a multiple of 1/1024 ms: sums and differences of such numbers are exact, so a timer of 5 ms
 * is seen to last 5 ms, not 4.999999.
 */
const grainsPerMs = 1024;

/** Rounds up to the grain of virtual time. */
export const roundUpToGrain = (ms: number): number => Math.ceil(ms * grainsPerMs) / grainsPerMs;
/** Rounds down to the grain of virtual time. */
export const roundDownToGrain = (ms: number): number => Math.floor(ms * grainsPerMs) / grainsPerMs;
/** The smallest step of virtual time, in milliseconds. */
export const grainMs = 1 / grainsPerMs;

export class Scheduler {
  readonly #queue = new EventQueue();
  readonly #trace: Trace;
  #nowMs = 0;
  #eventCount = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Nothing is scheduled that could move the simulation on. */
  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  /** When the next event is due at the earliest; Infinity when there is none. */
  get nextAt(): number {
    return this.#queue.nextAt;
  }

  /** Never runs anything synchronously. A delay that is no positive number is none. */
  schedule(input: EventInput): SimEvent {
    const delayMs = input.delayMs > 0 ? roundUpToGrain(input.delayMs) : 0;
    return this.#queue.add(this.#nowMs + delayMs, input);
  }

  cancel(event: SimEvent): void {
    this.#queue.cancel(event);
  }

  /** Queues held events again, now, in the given order. */
  release(events: readonly SimEvent[]): void {
    for (const event of events) {
      this.#queue.addAgain(event, this.#nowMs);
    }
  }

  /** Runs the next event. False when there is none. */
  runNext(): boolean {
    for (;;) {
      const event = this.#queue.take();
      if (event === undefined) {
        return false;
      }
      const owner = event.owner;
      if (owner !== undefined && !owner.isAlive) {
        continue;
      }
      this.#nowMs = Math.max(this.#nowMs, event.at);
      if (owner?.isPaused === true) {
        owner.hold(event);
        continue;
      }
      this.#eventCount++;
      this.#trace.record({
        at: this.#nowMs,
        owner: owner?.name ?? "",
        kind: event.kind,
        label: event.label,
        amount: event.amount,
      });
      event.run();
      return true;
    }
  }
}
