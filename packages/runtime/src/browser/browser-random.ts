// Randomness from the browser's cryptographic source.

import { createPooledRandom } from "../pooled-random.js";
import type { Random } from "../random.js";

/** Views that the DOM's types take; those of ES2024 know shared memory, which cannot be filled. */
type PlainBytes = Uint8Array<ArrayBuffer>;

export function createBrowserRandom(): Random {
  return createPooledRandom((target) => {
    if (target.buffer instanceof ArrayBuffer) {
      crypto.getRandomValues(target as PlainBytes);
    } else {
      target.set(crypto.getRandomValues(new Uint8Array(target.length)));
    }
  });
}
