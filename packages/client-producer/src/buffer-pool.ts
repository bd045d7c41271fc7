// The producer's memory: how many bytes of records it holds, and the line of those who wait for room. First come,
// first served: a small record never overtakes a large one. Counts only; the bytes are in the batches.

export interface BufferWaiter {
  readonly bytes: number;
  /** Monotonic time at which waiting ends without room. */
  readonly deadlineMs: number;
  /** There is room, and it has been reserved. */
  admit(): void;
  expire(): void;
}

export class BufferPool {
  readonly capacityBytes: number;
  readonly #waiters = new Set<BufferWaiter>();
  #usedBytes = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waiterCount(): number {
    return this.#waiters.size;
  }

  /** Reserves `bytes` unless there is no room, or somebody waits already. A lone record always fits. */
  tryReserve(bytes: number): boolean {
    if (this.#waiters.size > 0 || !this.#fits(bytes)) {
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  wait(waiter: BufferWaiter): void {
    this.#waiters.add(waiter);
  }

  /** Leaves the line. Those behind may now fit. */
  cancel(waiter: BufferWaiter): void {
    if (this.#waiters.delete(waiter)) {
      this.#admitWaiters();
    }
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#admitWaiters();
  }

  /** Ends the wait of those whose time is over. */
  expire(nowMs: number): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.deadlineMs <= nowMs) {
        this.#waiters.delete(waiter);
        waiter.expire();
      }
    }
    this.#admitWaiters();
  }

  /** When the first wait ends; undefined when nobody waits. All wait equally long, so the first in line is next. */
  nextDeadlineMs(): number | undefined {
    for (const waiter of this.#waiters) {
      return waiter.deadlineMs;
    }
    return undefined;
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.capacityBytes || this.#usedBytes === 0;
  }

  #admitWaiters(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) {
        return;
      }
      this.#waiters.delete(waiter);
      this.#usedBytes += waiter.bytes;
      waiter.admit();
    }
  }
}
