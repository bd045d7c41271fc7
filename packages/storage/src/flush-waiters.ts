// Who waits for which offset to be flushed. Completed from the front, since the mark only moves forward; refused
// from the back, since what is taken back is the newest.

/** Hears once what became of an offset, in the step in which it is known; must not throw. */
export interface FlushWaiter {
  /** It is flushed: on the disk, or only written (`flush=os`). */
  flushed(isSynced: boolean): void;
  /** It never will be. */
  failed(error: Error): void;
}

interface Place {
  readonly offset: number;
  readonly waiter: FlushWaiter;
}

export class FlushWaiters {
  #places: Place[] = [];

  get count(): number {
    return this.#places.length;
  }

  add(offset: number, waiter: FlushWaiter): void {
    // Nearly always the last: appends wait in order.
    let at = this.#places.length;
    while (at > 0 && (this.#places[at - 1] as Place).offset > offset) {
      at--;
    }
    if (at === this.#places.length) {
      this.#places.push({ offset, waiter });
    } else {
      this.#places.splice(at, 0, { offset, waiter });
    }
  }

  /** All offsets below `flushed` are flushed; those below `synced` are on the disk. */
  complete(flushed: number, synced: number): void {
    const first = this.#places.findIndex(({ offset }) => offset >= flushed);
    for (const { offset, waiter } of this.#places.splice(0, first < 0 ? this.count : first)) {
      waiter.flushed(offset < synced);
    }
  }

  /** Whoever waits for `offset` or beyond waits in vain. */
  refuseFrom(offset: number, error: Error): void {
    const first = this.#places.findIndex((place) => place.offset >= offset);
    for (const { waiter } of first < 0 ? [] : this.#places.splice(first)) {
      waiter.failed(error);
    }
  }
}
