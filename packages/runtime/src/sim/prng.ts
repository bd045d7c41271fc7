// The one source of randomness in a simulation: sfc32 (Chris Doty-Humphrey's PractRand generator), seeded
// through splitmix32. Subsystems draw from forks, so that one of them drawing more does not shift another.

const toUint32 = 2 ** 32;

function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function hashText(text: string, seed: number): number {
  let hash = seed | 0;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash ^ text.length);
}

/** A small, fast generator with 128 bits of state. Not for secrets. */
export class Prng {
  readonly #low: number;
  readonly #high: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `low` and `high` are any 32-bit numbers: the seed. */
  constructor(low: number, high = 0) {
    this.#low = low >>> 0;
    this.#high = high >>> 0;
    this.#a = mix(this.#low ^ 0x9e3779b9);
    this.#b = mix(this.#high ^ 0x243f6a88 ^ this.#a);
    this.#c = mix(this.#low ^ Math.imul(this.#high, 0x85ebca6b) ^ this.#b);
    for (let round = 0; round < 12; round++) {
      this.uint32();
    }
  }

  /** A generator from any safe integer. */
  static fromSeed(seed: number): Prng {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`a seed must be a safe integer, not ${seed}`);
    }
    return new Prng(seed >>> 0, Math.floor(seed / toUint32) >>> 0);
  }

  /**
   * An independent generator. It depends on this one's seed and on `label` only, not on what was drawn so
   * far: the same label always gives the same stream.
   */
  fork(label: string): Prng {
    return new Prng(hashText(label, this.#low ^ 0x811c9dc5), hashText(label, ~this.#high));
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A number in [0, 1), with 53 bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 67_108_864 + (this.uint32() >>> 6)) / 9_007_199_254_740_992;
  }

  /** A whole number in [0, bound); `bound` is 1 to 2^32. Without bias. */
  below(bound: number): number {
    const limit = toUint32 - (toUint32 % bound);
    let drawn = this.uint32();
    while (drawn >= limit) {
      drawn = this.uint32();
    }
    return drawn % bound;
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return high > low ? low + this.float() * (high - low) : low;
  }

  /** True with the given probability. A probability of 0 draws nothing. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** One of the choices; there must be at least one. */
  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  fill(target: Uint8Array): Uint8Array {
    for (let index = 0; index < target.length; index += 4) {
      const word = this.uint32();
      for (let lane = 0; lane < 4 && index + lane < target.length; lane++) {
        target[index + lane] = word >>> (8 * lane);
      }
    }
    return target;
  }
}
