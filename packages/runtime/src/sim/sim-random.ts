// The seam's `Random`, drawn from the simulation's seed.

import type { Random } from "../random.js";
import type { Prng } from "./prng.js";

export class SimRandom implements Random {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  fill(target: Uint8Array): Uint8Array {
    return this.#prng.fill(target);
  }

  float(): number {
    return this.#prng.float();
  }

  below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`a bound must be 1 to 2^32, not ${bound}`);
    }
    return this.#prng.below(bound);
  }
}
