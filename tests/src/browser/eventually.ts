// Waits until something is so; a bound keeps a failing run from hanging.

import { setTimeout as sleep } from "node:timers/promises";

const WAIT_MS = 30_000;
const POLL_MS = 20;

/** Resolves to whether it came to be. */
export async function eventually(isSo: () => Promise<boolean> | boolean): Promise<boolean> {
  const endMs = performance.now() + WAIT_MS;
  while (performance.now() < endMs) {
    if (await isSo()) {
      return true;
    }
    await sleep(POLL_MS);
  }
  return false;
}
