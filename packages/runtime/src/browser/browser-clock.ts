// A browser's clock. Timers of hidden tabs are throttled there: nothing may depend on their being punctual.

import type { Clock } from "../clock.js";
import { startLongTimer } from "../long-timer.js";
import { sleepOn } from "../sleep.js";

const startTimer = (delayMs: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};

/** Runs callbacks as tasks, in order, without the 4 ms that browsers add to nested timers. */
function createDefer(): (callback: () => void) => void {
  const queue: (() => void)[] = [];
  let channel: MessageChannel | undefined;
  const runNext = (): void => {
    const callback = queue.shift();
    if (queue.length === 0) {
      // An open port keeps a Node process (where this runs in tests) alive; browsers do not care.
      channel?.port1.close();
      channel = undefined;
    }
    callback?.();
  };
  return (callback) => {
    queue.push(callback);
    if (channel === undefined) {
      channel = new MessageChannel();
      channel.port1.onmessage = runNext;
    }
    channel.port2.postMessage(null);
  };
}

export const createBrowserClock = (): Clock => {
  const clock: Clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer: (delayMs, callback) => startLongTimer(startTimer, delayMs, callback),
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
    defer: createDefer(),
  };
  return clock;
};
