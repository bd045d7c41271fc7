// What must hold from one batch of a log to the next. Kafka's CRC does not cover base offset and leader epoch,
// so every scan checks them beside it: offsets without a gap, epochs that never fall and agree with the
// checkpoint file.

import type { BatchHeader } from "@millrace/protocol";
import type { LeaderEpochs } from "./leader-epochs.js";

type SequencedHeader = Pick<BatchHeader, "baseOffset" | "lastOffset" | "leaderEpoch">;

export class BatchSequence {
  #nextOffset: number;
  #lastEpoch: number;
  readonly #epochs: LeaderEpochs | undefined;

  /** `epochs`: what the checkpoint file says; without it only the order of epochs is checked. */
  constructor(nextOffset: number, epochs?: LeaderEpochs) {
    this.#nextOffset = nextOffset;
    this.#lastEpoch = -1;
    this.#epochs = epochs;
  }

  /** Where the next batch must begin. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Why `header` cannot be the next batch; undefined when it can. */
  problemWith(header: SequencedHeader): string | undefined {
    if (header.baseOffset !== this.#nextOffset) {
      return `its base offset is ${header.baseOffset}, ${this.#nextOffset} is next`;
    }
    if (header.leaderEpoch < this.#lastEpoch) {
      return `its leader epoch ${header.leaderEpoch} is below its predecessor's ${this.#lastEpoch}`;
    }
    const recorded = this.#epochs?.epochAt(header.baseOffset) ?? -1;
    if (recorded < 0) {
      return this.#problemAcrossStart(header);
    }
    return recorded === header.leaderEpoch
      ? undefined
      : `its leader epoch is ${header.leaderEpoch}, the checkpoint says ${recorded}`;
  }

  /**
   * The first entry's start moves with the log start, into a batch sometimes: what is recorded of such a batch's end is
   * the most that its epoch can be (a placeholder for lost records may span several).
   */
  #problemAcrossStart(header: SequencedHeader): string | undefined {
    const latest = this.#epochs?.epochAt(header.lastOffset) ?? -1;
    return latest >= 0 && header.leaderEpoch > latest
      ? `its leader epoch is ${header.leaderEpoch}, the checkpoint says ${latest} at most`
      : undefined;
  }

  /** Takes `header` as the next batch, unless it cannot be: then it says why. */
  accept(header: SequencedHeader): string | undefined {
    const problem = this.problemWith(header);
    if (problem === undefined) {
      this.#nextOffset = header.lastOffset + 1;
      this.#lastEpoch = header.leaderEpoch;
    }
    return problem;
  }
}
