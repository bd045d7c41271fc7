// Randomness from the operating system's cryptographic source.

import { randomFillSync } from "node:crypto";
import { createPooledRandom } from "../pooled-random.js";
import type { Random } from "../random.js";

export function createNodeRandom(): Random {
  return createPooledRandom((target) => randomFillSync(target));
}
