// What a connection may have outstanding, and who waits for it. The broker names its limits in `hello`; a
// client that keeps within them never finds its socket stopped. Strictly first come, first served: a small
// request never overtakes a large one, because order within a channel is a promise. Pure.

export interface CreditLimits {
  /** Requests without an answer. */
  readonly maxRequests: number;
  /** Bytes of requests without an answer. */
  readonly maxBytes: number;
}

export interface Costed {
  readonly sizeBytes: number;
}

/** Without limits (no connection yet) everything waits. */
export class CreditQueue<Item extends Costed> {
  /** A set: insertion order is arrival order, and leaving the middle is cheap. */
  readonly #waiting = new Set<Item>();
  #limits: CreditLimits | undefined;
  #outstandingRequests = 0;
  #outstandingBytes = 0;

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get outstandingRequests(): number {
    return this.#outstandingRequests;
  }

  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  /** A new connection with its limits, nothing outstanding on it. */
  open(limits: CreditLimits): void {
    this.#limits = limits;
    this.#outstandingRequests = 0;
    this.#outstandingBytes = 0;
  }

  /** The connection is gone; what waits goes on waiting. */
  close(): void {
    this.#limits = undefined;
    this.#outstandingRequests = 0;
    this.#outstandingBytes = 0;
  }

  add(item: Item): void {
    this.#waiting.add(item);
  }

  /** True when it was waiting. */
  remove(item: Item): boolean {
    return this.#waiting.delete(item);
  }

  /** The first in line, if it may go now; it then counts as outstanding. */
  takeNext(): Item | undefined {
    const next = this.peek();
    if (next === undefined || !this.#fits(next.sizeBytes)) {
      return undefined;
    }
    this.#waiting.delete(next);
    this.#outstandingRequests++;
    this.#outstandingBytes += next.sizeBytes;
    return next;
  }

  /** The first in line, whether or not it may go. */
  peek(): Item | undefined {
    for (const first of this.#waiting) {
      return first;
    }
    return undefined;
  }

  /** An outstanding request of this size was answered. */
  release(sizeBytes: number): void {
    this.#outstandingRequests--;
    this.#outstandingBytes -= sizeBytes;
  }

  /** Empties the line and returns who stood in it, in order. */
  takeAll(): Item[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }

  /** One request may always be outstanding, however large: else a low limit would block for ever. */
  #fits(sizeBytes: number): boolean {
    if (this.#limits === undefined) {
      return false;
    }
    return (
      this.#outstandingRequests === 0 ||
      (this.#outstandingRequests < this.#limits.maxRequests &&
        this.#outstandingBytes + sizeBytes <= this.#limits.maxBytes)
    );
  }
}
