// A share in bytes whose memory is used again: while anybody has one, the bytes stay what they are. Whoever forgets
// to give a share back only keeps that memory from being used again.

import type { PooledBuffer } from "@millrace/runtime";

/** Who looks at the bytes now. */
interface Holders {
  readonly buffer: PooledBuffer;
  count: number;
}

export class Hold {
  readonly #holders: Holders;
  #isOver = false;

  private constructor(holders: Holders) {
    this.#holders = holders;
    holders.count++;
  }

  /** The first share: the buffer is given back with the last. */
  static of(buffer: PooledBuffer): Hold {
    return new Hold({ buffer, count: 0 });
  }

  /** One more share. @throws Error when this one was given back: the bytes may be others by now. */
  another(): Hold {
    if (this.#isOver) {
      throw new Error("bytes cannot be held that were let go of");
    }
    return new Hold(this.#holders);
  }

  /** The holder does not look at the bytes any more. A second call does nothing. */
  release(): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#holders.count--;
    if (this.#holders.count === 0) {
      this.#holders.buffer.release();
    }
  }
}

export function releaseAll(holds: readonly Hold[]): void {
  for (const hold of holds) {
    hold.release();
  }
}
