// Correlation ids, and the table of requests that were written to a connection and have no answer yet. A
// request that its caller gave up stays in the table: its answer will come, and the broker counts it until
// then. Pure.

const CORRELATION_ID_MAX = 0x7fffffff;

/** 1, 2, 3, ... and round again. 0 is left to `hello`. */
export class CorrelationIds {
  #last: number;

  constructor(last = 0) {
    this.#last = last;
  }

  next(): number {
    this.#last = this.#last === CORRELATION_ID_MAX ? 1 : this.#last + 1;
    return this.#last;
  }
}

export class InFlightTable<Entry> {
  readonly #entries = new Map<number, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** False when the id is taken: 2^31 requests ago one was sent that was never answered. */
  add(correlationId: number, entry: Entry): boolean {
    if (this.#entries.has(correlationId)) {
      return false;
    }
    this.#entries.set(correlationId, entry);
    return true;
  }

  /** Takes the entry that an answer belongs to; `undefined` when nobody asked. */
  take(correlationId: number): Entry | undefined {
    const entry = this.#entries.get(correlationId);
    this.#entries.delete(correlationId);
    return entry;
  }

  /** Empties the table, in the order of sending. */
  takeAll(): Entry[] {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    return all;
  }
}
