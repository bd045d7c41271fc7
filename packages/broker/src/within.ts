// A bound on waiting for work that goes on by itself.

import { MillraceError } from "@millrace/protocol";
import type { Clock } from "@millrace/runtime";

/**
 * The outcome of `work`, if it comes within `timeoutMs`. The work is not stopped; an outcome that comes too
 * late is dropped.
 * @throws MillraceError `REQUEST_TIMED_OUT`, or what `work` rejects with.
 */
export function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => {
      reject(
        new MillraceError(
          "REQUEST_TIMED_OUT",
          `not done within ${timeoutMs} ms; it goes on and may still take effect`,
        ),
      );
    });
    const settle = (how: () => void): void => {
      timer.cancel();
      how();
    };
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
