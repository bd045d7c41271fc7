// Sleeping, for every clock that has timers.

import type { Clock } from "./clock.js";
import type { AbortSignalLike } from "./platform.js";

/** `Clock.sleep` on top of `Clock.setTimer`. Leaves no listener on `signal`. */
export function sleepOn(
  clock: Pick<Clock, "setTimer">,
  delayMs: number,
  signal?: AbortSignalLike,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      reject(signal?.reason);
    };
    const wake = (): void => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    const timer = clock.setTimer(delayMs, wake, { keepsAlive: true });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
