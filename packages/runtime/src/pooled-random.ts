// A Random over a platform's cryptographic source, which is drawn from in blocks: a call per number would cost
// a hundred times the number itself.

import type { Random } from "./random.js";

const POOL_BYTES = 4_096;
/** Browsers refuse to fill more than this at once. */
const MAX_DRAW_BYTES = 65_536;

/** `draw` fills its argument (at most 64 KiB) from the platform's source. */
export function createPooledRandom(draw: (target: Uint8Array) => void): Random {
  const pool = new Uint8Array(POOL_BYTES);
  const view = new DataView(pool.buffer);
  let used = POOL_BYTES;

  const take = (count: number): number => {
    if (used + count > POOL_BYTES) {
      draw(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  const uint32 = (): number => view.getUint32(take(4));

  return {
    fill(target) {
      if (target.length <= 64) {
        const start = take(target.length);
        target.set(pool.subarray(start, start + target.length));
        // What was handed out may become a secret: it must not be found here.
        pool.fill(0, start, start + target.length);
        return target;
      }
      for (let start = 0; start < target.length; start += MAX_DRAW_BYTES) {
        draw(target.subarray(start, start + MAX_DRAW_BYTES));
      }
      return target;
    },
    float() {
      const start = take(8);
      const high = view.getUint32(start) >>> 5;
      const low = view.getUint32(start + 4) >>> 6;
      // 27 + 26 bits: every multiple of 2^-53 below 1.
      return (high * 2 ** 26 + low) / 2 ** 53;
    },
    below(bound) {
      // Draws from the incomplete last stretch of 2^32 would favour small numbers: they are drawn again.
      const fair = 2 ** 32 - (2 ** 32 % bound);
      let value = uint32();
      while (value >= fair) {
        value = uint32();
      }
      return value % bound;
    },
  };
}
