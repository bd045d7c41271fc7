// Node's clock. Timers are unref'd, except those that somebody waits for: a client that is about to try again
// must not see its process end because its only connection is gone.

import type { Clock } from "../clock.js";
import { startLongTimer } from "../long-timer.js";
import { sleepOn } from "../sleep.js";

const startTimer = (delayMs: number, callback: () => void): (() => void) => {
  const timeout = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timeout);
};

const startKeepingTimer = (delayMs: number, callback: () => void): (() => void) => {
  const timeout = setTimeout(callback, delayMs);
  return () => clearTimeout(timeout);
};

/** The process's clock. */
export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback, { keepsAlive = false } = {}) =>
    startLongTimer(keepsAlive ? startKeepingTimer : startTimer, delayMs, callback),
  sleep: (delayMs, signal) => sleepOn(nodeClock, delayMs, signal),
  defer: (callback) => void setImmediate(callback),
};
