// What `--until-end` waits for: the ends of the partitions as they were at the start. Pure.

export class EndOfLog {
  readonly #open: Map<number, number>;

  constructor(ends: Iterable<readonly [partition: number, endOffset: number]>) {
    this.#open = new Map(ends);
  }

  get isReached(): boolean {
    return this.#open.size === 0;
  }

  /** Everything below `nextOffset` has been read. */
  passed(partition: number, nextOffset: number): void {
    const end = this.#open.get(partition);
    if (end !== undefined && nextOffset >= end) {
      this.#open.delete(partition);
    }
  }
}
