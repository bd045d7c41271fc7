// What a log knows about the producers that write to it: epoch and the last five batches of each, so that a
// retried batch is recognised and gets its original offset, and a gap is refused (Kafka's rules). Pure: time
// comes in with the batches. Entries are immutable values, so taking a step back is putting the old one back.

import { type BatchHeader, IN_FLIGHT_BATCHES_MAX } from "@millrace/protocol";

export interface ProducerBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestamp: number;
}

export interface ProducerEntry {
  readonly producerEpoch: number;
  /** Oldest first; at most `IN_FLIGHT_BATCHES_MAX`. */
  readonly batches: readonly ProducerBatch[];
  /** When the producer last wrote, by the broker's clock; after a replay the time of that. */
  readonly lastWriteMs: number;
}

export type SequencedBatch = Pick<
  BatchHeader,
  | "baseOffset"
  | "lastOffset"
  | "producerId"
  | "producerEpoch"
  | "baseSequence"
  | "lastSequence"
  | "maxTimestamp"
>;

export type SequenceVerdict =
  | { readonly kind: "in order" }
  | { readonly kind: "duplicate"; readonly original: ProducerBatch }
  | {
      readonly kind: "refused";
      readonly error:
        | "OUT_OF_ORDER_SEQUENCE_NUMBER"
        | "INVALID_PRODUCER_EPOCH"
        | "DUPLICATE_SEQUENCE_NUMBER";
      readonly message: string;
    };

/** How to take one `apply` back. */
export interface ProducerUndo {
  readonly producerId: number;
  readonly previous: ProducerEntry | undefined;
}

const SEQUENCE_MODULUS = 2 ** 31;
const inOrder: SequenceVerdict = { kind: "in order" };

/** Sequence numbers wrap from 2^31-1 to 0. */
export function nextSequence(sequence: number): number {
  return (sequence + 1) % SEQUENCE_MODULUS;
}

export class ProducerState {
  readonly #entries: Map<number, ProducerEntry>;
  /** The producer whose entry is known to be the last one: it stays where it is when it writes again. */
  #newestId = -1;

  constructor(entries: Iterable<readonly [number, ProducerEntry]> = []) {
    this.#entries = new Map(entries);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId);
  }

  entries(): IterableIterator<[number, ProducerEntry]> {
    return this.#entries.entries();
  }

  /** Whether a batch that a producer sent may be appended now. Batches without a producer id always may. */
  check(
    batch: Omit<SequencedBatch, "baseOffset" | "lastOffset" | "maxTimestamp">,
  ): SequenceVerdict {
    const entry = batch.producerId < 0 ? undefined : this.#entries.get(batch.producerId);
    // An unknown producer may begin anywhere: its state may have expired or been deleted with its segments (KIP-360).
    if (entry === undefined) {
      return inOrder;
    }
    if (batch.producerEpoch < entry.producerEpoch) {
      return {
        kind: "refused",
        error: "INVALID_PRODUCER_EPOCH",
        message: `producer ${batch.producerId} has epoch ${entry.producerEpoch}, the batch ${batch.producerEpoch}`,
      };
    }
    if (batch.producerEpoch > entry.producerEpoch) {
      return batch.baseSequence === 0 ? inOrder : outOfOrder(batch, 0);
    }
    const original = entry.batches.find(
      (known) =>
        known.baseSequence === batch.baseSequence && known.lastSequence === batch.lastSequence,
    );
    if (original !== undefined) {
      return { kind: "duplicate", original };
    }
    const last = entry.batches.at(-1);
    const expected = last === undefined ? batch.baseSequence : nextSequence(last.lastSequence);
    return batch.baseSequence === expected ? inOrder : outOfOrder(batch, expected);
  }

  /** Adds a batch that is in the log, without questions. Returns how to take it back. */
  apply(batch: SequencedBatch, writtenMs: number): ProducerUndo | undefined {
    if (batch.producerId < 0) {
      return undefined;
    }
    const previous = this.#entries.get(batch.producerId);
    const isSameEpoch = previous?.producerEpoch === batch.producerEpoch;
    const batches = isSameEpoch ? previous.batches.slice(1 - IN_FLIGHT_BATCHES_MAX) : [];
    const { baseSequence, lastSequence, baseOffset, lastOffset, maxTimestamp } = batch;
    batches.push({ baseSequence, lastSequence, baseOffset, lastOffset, timestamp: maxTimestamp });
    // Goes to the end: the entries are in the order in which the producers wrote last.
    if (batch.producerId !== this.#newestId) {
      this.#entries.delete(batch.producerId);
      this.#newestId = batch.producerId;
    }
    this.#entries.set(batch.producerId, {
      producerEpoch: batch.producerEpoch,
      batches,
      lastWriteMs: writtenMs,
    });
    return { producerId: batch.producerId, previous };
  }

  /** Begins again with what a snapshot holds. */
  restore(entries: Iterable<readonly [number, ProducerEntry]>): void {
    this.#entries.clear();
    this.#newestId = -1;
    for (const [producerId, entry] of entries) {
      this.#entries.set(producerId, entry);
    }
  }

  /**
   * A batch found in the log while it is opened at `nowMs`. When it was written is not known: its timestamps are the
   * producer's, and by them a producer of old records would be forgotten while it is still retrying.
   */
  replay(batch: SequencedBatch, nowMs: number): void {
    this.apply(batch, nowMs);
  }

  undo(step: ProducerUndo): void {
    this.#newestId = -1;
    if (step.previous === undefined) {
      this.#entries.delete(step.producerId);
    } else {
      this.#entries.set(step.producerId, step.previous);
    }
  }

  /** Forgets producers that wrote last before `beforeMs`. */
  expire(beforeMs: number): void {
    for (const [producerId, entry] of this.#entries) {
      if (entry.lastWriteMs < beforeMs) {
        this.#forget(producerId);
      }
    }
  }

  /** Forgets those that have not written for the longest time, until `count` are left. */
  keepNewest(count: number): void {
    for (const producerId of this.#entries.keys()) {
      if (this.#entries.size <= count) {
        return;
      }
      this.#forget(producerId);
    }
  }

  #forget(producerId: number): void {
    this.#entries.delete(producerId);
    if (producerId === this.#newestId) {
      this.#newestId = -1;
    }
  }

  /** Independent of this one from here on. */
  copy(): ProducerState {
    return new ProducerState(this.#entries);
  }
}

function outOfOrder(
  batch: { readonly producerId: number; readonly baseSequence: number },
  expected: number,
): SequenceVerdict {
  return {
    kind: "refused",
    error: "OUT_OF_ORDER_SEQUENCE_NUMBER",
    message: `producer ${batch.producerId} sent sequence ${batch.baseSequence}, ${expected} is next`,
  };
}
