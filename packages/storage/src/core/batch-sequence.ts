// What must hold from one batch of a log to the next. Kafka's CRC does not cover base offset and leader epoch,
// so every scan checks them beside it: offsets without a gap, epochs that never fall and agree with the
// checkpoint file.

import type { BatchHeader } from "@millrace/protocol";
import type { LeaderEpochs } from "./leader-epochs.js";

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

  /** Why `header` cannot be the next batch; undefined when it can, and then it is taken. */
  accept(
    header: Pick<BatchHeader, "baseOffset" | "lastOffset" | "leaderEpoch">,
  ): string | undefined {
    if (header.baseOffset !== this.#nextOffset) {
      return `its base offset is ${header.baseOffset}, ${this.#nextOffset} is next`;
    }
    if (header.leaderEpoch < this.#lastEpoch) {
      return `its leader epoch ${header.leaderEpoch} is below its predecessor's ${this.#lastEpoch}`;
    }
    const recorded = this.#epochs?.epochAt(header.baseOffset) ?? header.leaderEpoch;
    if (recorded !== header.leaderEpoch) {
      return `its leader epoch is ${header.leaderEpoch}, the checkpoint says ${recorded}`;
    }
    this.#nextOffset = header.lastOffset + 1;
    this.#lastEpoch = header.leaderEpoch;
    return undefined;
  }
}
