// Timers of any length over a platform whose timers hold 31 bits of milliseconds (24.8 days): a longer delay
// there fires at once.

import type { Timer } from "./clock.js";

/** The longest delay that platforms take. */
export const MAX_PLATFORM_DELAY_MS = 2 ** 31 - 1;

/** Starts one platform timer of at most `MAX_PLATFORM_DELAY_MS`; returns the way to cancel it. */
export type StartTimer = (delayMs: number, callback: () => void) => () => void;

/** `Clock.setTimer`, however long: long delays are walked in steps. */
export function startLongTimer(start: StartTimer, delayMs: number, callback: () => void): Timer {
  let remainingMs = Math.max(0, delayMs);
  let cancelStep: () => void = () => {};
  const step = (): void => {
    const stepMs = Math.min(remainingMs, MAX_PLATFORM_DELAY_MS);
    remainingMs -= stepMs;
    cancelStep = start(stepMs, remainingMs > 0 ? step : callback);
  };
  step();
  return { cancel: () => cancelStep() };
}
