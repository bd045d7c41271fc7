// A topic that was just created may not be known everywhere yet: asked again until it is, for a bounded time.

import { pause } from "./pause.js";

/**
 * For clients of Kafka: the first batch for each of a thousand partitions takes it most of a minute on a small machine. A
 * client that gave up sooner would send it again, and have it stored twice.
 */
export const REQUEST_TIMEOUT_MS = 120_000;
const TIMEOUT_MS = 90_000;
const GAP_MS = 50;

/** @throws the last failure once the time is over */
export async function retry<T>(action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > deadline) {
        throw error;
      }
      await pause(GAP_MS);
    }
  }
}
