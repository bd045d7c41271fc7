// Node's clock. Timers are unref'd: they never keep a process alive by themselves.

import type { Clock } from "../clock.js";
import { startLongTimer } from "../long-timer.js";
import { sleepOn } from "../sleep.js";

const startTimer = (delayMs: number, callback: () => void): (() => void) => {
  const timeout = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timeout);
};

/** The process's clock. */
export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback) => startLongTimer(startTimer, delayMs, callback),
  sleep: (delayMs, signal) => sleepOn(nodeClock, delayMs, signal),
  defer: (callback) => void setImmediate(callback),
};
