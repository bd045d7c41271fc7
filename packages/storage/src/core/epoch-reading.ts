// Which leader epoch wrote which part of a log, read from its batches alone. An epoch stands where no CRC covers it, so a
// flipped bit in one is seen only beside its neighbours: epochs never fall. Where one does, the reading that needs fewer
// wrong batches is believed: an epoch that rose for a single batch was that batch's damage, not its successor's. Pure.

import { LeaderEpochs } from "./leader-epochs.js";

export interface EpochSighting {
  readonly leaderEpoch: number;
  readonly baseOffset: number;
}

/** A batch whose epoch cannot be what was written, and a neighbour that says so. */
export interface EpochContradiction<Sighting extends EpochSighting> {
  readonly suspect: Sighting;
  readonly witness: Sighting;
}

/** Holds two batches that are not decided yet, however long the log is. */
export class EpochReading<Sighting extends EpochSighting> {
  readonly #epochs = new LeaderEpochs();
  readonly #onContradiction: (contradiction: EpochContradiction<Sighting>) => void;
  /** The last batch whose epoch is believed. */
  #settled: Sighting | undefined;
  /** The only batch yet of an epoch above that. */
  #risen: Sighting | undefined;
  /** A batch behind it, of an epoch between the two: one of them is wrong. */
  #fallen: Sighting | undefined;

  constructor(onContradiction: (contradiction: EpochContradiction<Sighting>) => void) {
    this.#onContradiction = onContradiction;
  }

  /** Batches come in the order of their offsets. */
  see(batch: Sighting): void {
    const { leaderEpoch } = batch;
    const settled = this.#settled;
    if (settled !== undefined && leaderEpoch < settled.leaderEpoch) {
      this.#onContradiction({ suspect: batch, witness: settled });
      return;
    }
    const risen = this.#risen;
    if (risen === undefined) {
      this.#take(batch);
      return;
    }
    const fallen = this.#fallen;
    if (leaderEpoch >= risen.leaderEpoch) {
      // Two batches say that the epoch did rise.
      this.#risen = undefined;
      this.#fallen = undefined;
      this.#settle(risen);
      if (fallen !== undefined) {
        this.#onContradiction({ suspect: fallen, witness: risen });
      }
      this.#take(batch);
    } else if (fallen === undefined) {
      this.#fallen = batch;
    } else {
      this.#dismissRisen(risen, fallen);
      this.see(batch);
    }
  }

  /** There are no more batches. */
  finish(): LeaderEpochs {
    const [risen, fallen] = [this.#risen, this.#fallen];
    if (risen !== undefined && fallen !== undefined) {
      this.#dismissRisen(risen, fallen);
    }
    if (this.#risen !== undefined) {
      this.#settle(this.#risen);
    }
    return this.#epochs;
  }

  #take(batch: Sighting): void {
    if (this.#settled?.leaderEpoch === batch.leaderEpoch) {
      this.#settle(batch);
    } else {
      this.#risen = batch;
    }
  }

  #settle(batch: Sighting): void {
    this.#settled = batch;
    this.#epochs.assign(batch.leaderEpoch, batch.baseOffset);
  }

  #dismissRisen(risen: Sighting, fallen: Sighting): void {
    this.#risen = undefined;
    this.#fallen = undefined;
    this.#onContradiction({ suspect: risen, witness: fallen });
    this.#take(fallen);
  }
}
