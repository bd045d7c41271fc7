// The demo's judgement: every record of the source arrives exactly once, unchanged, and in the source's order
// within its partition. Pure; the consumer process feeds it.

import { contentHash } from "./dataset.js";

const PROBLEMS_MAX = 10;

export class Verdict {
  #records;
  #seen;
  /** By partition: the last id and offset that came. */
  #lastId = new Map();
  #lastOffset = new Map();
  #counts = { received: 0, distinct: 0, duplicated: 0, outOfOrder: 0, different: 0, unknown: 0 };
  #perPartition = {};
  #problems = [];

  /** @param {readonly string[]} records what was sent; a record's id is its index */
  constructor(records) {
    this.#records = records;
    this.#seen = new Uint8Array(records.length);
  }

  get received() {
    return this.#counts.received;
  }

  /** A record as it came, in the order it came. */
  add({ partition, offset, id, value }) {
    const where = `partition ${partition} offset ${offset}`;
    this.#counts.received += 1;
    this.#perPartition[partition] = (this.#perPartition[partition] ?? 0) + 1;
    if (!(Number.isInteger(id) && id >= 0 && id < this.#records.length)) {
      this.#problem("unknown", `${where}: a record that was never sent`);
      return;
    }
    if (this.#seen[id] > 0) {
      this.#problem("duplicated", `${where}: record ${id} came before`);
    } else {
      this.#counts.distinct += 1;
    }
    const lastId = this.#lastId.get(partition) ?? -1;
    if (id <= lastId || offset <= (this.#lastOffset.get(partition) ?? -1)) {
      this.#problem("outOfOrder", `${where}: record ${id} after record ${lastId}`);
    }
    if (contentHash(value) !== contentHash(this.#records[id])) {
      this.#problem("different", `${where}: record ${id} is not what was sent`);
    }
    this.#seen[id] = 1;
    this.#lastId.set(partition, id);
    this.#lastOffset.set(partition, offset);
  }

  summary() {
    return {
      ...this.#counts,
      perPartition: { ...this.#perPartition },
      problems: [...this.#problems],
    };
  }

  #problem(kind, text) {
    this.#counts[kind] += 1;
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push(text);
    }
  }
}

/** Whether a summary leaves nothing to wish for. */
export function isPerfect(summary, total) {
  const { received, distinct, duplicated, outOfOrder, different, unknown } = summary;
  const wrong = duplicated + outOfOrder + different + unknown;
  return received === total && distinct === total && wrong === 0;
}
