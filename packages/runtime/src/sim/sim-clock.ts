// A machine's clocks (a wall clock that may be wrong, drift and jump; a monotonic one that only drifts), and
// the view of them that one process gets, with its timers.

import type { Clock, Timer } from "../clock.js";
import type { AbortSignalLike } from "../platform.js";
import type { EventOwner } from "./event-queue.js";
import { grainMs, roundDownToGrain, roundUpToGrain } from "./scheduler.js";
import type { World } from "./world.js";

/** Where every simulation's time starts: 2026-01-01T00:00:00Z. */
export const SIMULATION_EPOCH_MS = 1_767_225_600_000;

/** The clocks of one machine. They go on while its process is paused or dead. */
export class MachineClock {
  readonly #world: World;
  #baseVirtualMs: number;
  #baseLocalMs = 0;
  #rate: number;
  #wallOffsetMs: number;

  constructor(world: World, options: { drift: number; wallOffsetMs: number }) {
    this.#world = world;
    this.#baseVirtualMs = world.scheduler.nowMs;
    this.#rate = 1 + options.drift;
    this.#wallOffsetMs = options.wallOffsetMs;
  }

  monotonicMs(): number {
    const elapsedMs = this.#world.scheduler.nowMs - this.#baseVirtualMs;
    return this.#baseLocalMs + roundDownToGrain(elapsedMs * this.#rate);
  }

  nowMs(): number {
    return Math.floor(SIMULATION_EPOCH_MS + this.monotonicMs() + this.#wallOffsetMs);
  }

  /** Virtual time in which this clock advances by `localMs`. */
  virtualDelayMs(localMs: number): number {
    return this.#rate === 1 ? localMs : roundUpToGrain(localMs / this.#rate) + grainMs;
  }

  /** The wall clock jumps by `deltaMs`, forth or back. */
  jump(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  /** From now on the clock runs fast (0.05: 5 %) or slow (-0.05). */
  setDrift(drift: number): void {
    this.#baseLocalMs = this.monotonicMs();
    this.#baseVirtualMs = this.#world.scheduler.nowMs;
    this.#rate = 1 + drift;
  }
}

/** The seam's `Clock` for one process. */
export class SimClock implements Clock {
  readonly #world: World;
  readonly #machine: MachineClock;
  readonly #owner: EventOwner;

  constructor(world: World, machine: MachineClock, owner: EventOwner) {
    this.#world = world;
    this.#machine = machine;
    this.#owner = owner;
  }

  nowMs(): number {
    return this.#machine.nowMs();
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const event = this.#world.scheduler.schedule({
      // At least one grain, so that a loop of empty timers cannot stop time.
      delayMs: Math.max(this.#machine.virtualDelayMs(delayMs), grainMs),
      kind: "timer",
      phase: "timer",
      owner: this.#owner,
      run: callback,
    });
    return { cancel: () => this.#world.scheduler.cancel(event) };
  }

  sleep(delayMs: number, signal?: AbortSignalLike): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        reject(signal?.reason);
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  defer(callback: () => void): void {
    this.#world.scheduler.schedule({
      delayMs: grainMs,
      kind: "defer",
      phase: "deferred",
      owner: this.#owner,
      run: callback,
    });
  }
}
