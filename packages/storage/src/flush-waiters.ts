// Who waits for which offset to be flushed. Completed from the front, since the mark only moves forward; refused
// from the back, since what is taken back is the newest.

interface Waiter {
  readonly offset: number;
  readonly resolve: (isSynced: boolean) => void;
  readonly reject: (error: Error) => void;
}

export class FlushWaiters {
  #waiters: Waiter[] = [];

  get count(): number {
    return this.#waiters.length;
  }

  wait(offset: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      // Nearly always the last: appends wait in order.
      let at = this.#waiters.length;
      while (at > 0 && (this.#waiters[at - 1] as Waiter).offset > offset) {
        at--;
      }
      this.#waiters.splice(at, 0, { offset, resolve, reject });
    });
  }

  /** All offsets below `flushed` are flushed; those below `synced` are on the disk. */
  complete(flushed: number, synced: number): void {
    let count = 0;
    for (const waiter of this.#waiters) {
      if (waiter.offset >= flushed) {
        break;
      }
      waiter.resolve(waiter.offset < synced);
      count++;
    }
    if (count > 0) {
      this.#waiters = this.#waiters.slice(count);
    }
  }

  /** Whoever waits for `offset` or beyond waits in vain. */
  refuseFrom(offset: number, error: Error): void {
    const first = this.#waiters.findIndex((waiter) => waiter.offset >= offset);
    if (first < 0) {
      return;
    }
    for (const waiter of this.#waiters.splice(first)) {
      waiter.reject(error);
    }
  }
}
