// The producer's memory: how many bytes of records it holds, and the line of those who wait for room. First come,
// first served: a small record never overtakes a large one, and nobody gets between the records of one call.
// Counts only; the bytes are in the batches.

export interface BufferWaiter {
  readonly bytes: number;
  /** It follows the record that has just left the line, and belongs to the same call: it waits in front. */
  readonly isNextOfCall: boolean;
  /** Monotonic time at which waiting ends without room. */
  readonly deadlineMs: number;
  /** There is room, and it has been reserved. */
  admit(): void;
  expire(): void;
}

export class BufferPool {
  readonly capacityBytes: number;
  readonly #waiters = new Set<BufferWaiter>();
  /** They wait before all others. More than one only when the waits of several calls ended at once. */
  readonly #front: BufferWaiter[] = [];
  #usedBytes = 0;
  /** Somebody's wait is ending: what that frees is given out afterwards, behind the rest of the same call. */
  #isEndingWait = false;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waiterCount(): number {
    return this.#front.length + this.#waiters.size;
  }

  /** Reserves `bytes` unless there is no room, or somebody waits in front of it. A lone record always fits. */
  tryReserve(bytes: number, isNextOfCall = false): boolean {
    const isFirst = this.#front.length === 0 && (isNextOfCall || this.#waiters.size === 0);
    if (!isFirst || !this.#fits(bytes)) {
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  wait(waiter: BufferWaiter): void {
    if (waiter.isNextOfCall) {
      this.#front.push(waiter);
    } else {
      this.#waiters.add(waiter);
    }
  }

  /** Leaves the line. Those behind may now fit. */
  cancel(waiter: BufferWaiter): void {
    if (this.#remove(waiter)) {
      this.#admitWaiters();
    }
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#admitWaiters();
  }

  /** Ends the wait of those whose time is over. */
  expire(nowMs: number): void {
    for (const waiter of [...this.#front, ...this.#waiters]) {
      if (waiter.deadlineMs <= nowMs && this.#remove(waiter)) {
        this.#endWait(() => waiter.expire());
      }
    }
    this.#admitWaiters();
  }

  /** When the first wait ends; undefined when nobody waits. Within a line all wait equally long. */
  nextDeadlineMs(): number | undefined {
    const front = this.#front[0]?.deadlineMs;
    for (const { deadlineMs } of this.#waiters) {
      return front === undefined ? deadlineMs : Math.min(front, deadlineMs);
    }
    return front;
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.capacityBytes || this.#usedBytes === 0;
  }

  #remove(waiter: BufferWaiter): boolean {
    const index = this.#front.indexOf(waiter);
    if (index >= 0) {
      this.#front.splice(index, 1);
      return true;
    }
    return this.#waiters.delete(waiter);
  }

  #endWait(end: () => void): void {
    this.#isEndingWait = true;
    try {
      end();
    } finally {
      this.#isEndingWait = false;
    }
  }

  #admitWaiters(): void {
    if (this.#isEndingWait) {
      return;
    }
    this.#admitFront();
    for (const waiter of this.#waiters) {
      if (this.#front.length > 0 || !this.#fits(waiter.bytes)) {
        return;
      }
      this.#waiters.delete(waiter);
      this.#usedBytes += waiter.bytes;
      this.#endWait(() => waiter.admit());
      this.#admitFront();
    }
  }

  #admitFront(): void {
    for (;;) {
      const first = this.#front[0];
      if (first === undefined || !this.#fits(first.bytes)) {
        return;
      }
      this.#front.shift();
      this.#usedBytes += first.bytes;
      this.#endWait(() => first.admit());
    }
  }
}
