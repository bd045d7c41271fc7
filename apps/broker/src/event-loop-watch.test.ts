import { type Clock, type Logger, silentLogger } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { EventLoopWatch } from "./event-loop-watch.js";

/** A clock whose loop can be held up: the timer that is due fires when `pass` says so, as late as it says. */
class HandClock {
  readonly clock: Clock;
  #nowMs = 1_000;
  #due: { readonly atMs: number; readonly callback: () => void } | undefined;

  constructor() {
    const nowMs = (): number => this.#nowMs;
    this.clock = {
      nowMs,
      monotonicMs: nowMs,
      setTimer: (delayMs, callback) => {
        this.#due = { atMs: this.#nowMs + delayMs, callback };
        return {
          cancel: () => {
            this.#due = undefined;
          },
        };
      },
      sleep: () => Promise.reject(new Error("nobody sleeps here")),
      defer: () => undefined,
    };
  }

  /** @returns whether a timer was there to fire */
  fire(lateMs: number): boolean {
    const due = this.#due;
    this.#nowMs = (due?.atMs ?? this.#nowMs) + lateMs;
    this.#due = undefined;
    due?.callback();
    return due !== undefined;
  }
}

function watched() {
  const warnings: number[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (fields) => warnings.push((fields as { lateMs: number }).lateMs),
  };
  const hand = new HandClock();
  const watch = new EventLoopWatch(hand.clock, logger);
  watch.start();
  return { hand, warnings, watch };
}

describe("the watch on the event loop", () => {
  it("warns of each stall of more than half a second, with its length", () => {
    const { hand, warnings } = watched();
    for (const lateMs of [0, 3, 500, 501, 20, 12_000, 0]) {
      hand.fire(lateMs);
    }
    expect(warnings).toEqual([501, 12_000]);
  });

  it("ends when it is stopped", () => {
    const { hand, warnings, watch } = watched();
    watch.stop();
    expect(hand.fire(9_000)).toBe(false);
    expect(warnings).toEqual([]);
  });
});
