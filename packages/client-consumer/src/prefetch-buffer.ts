// What has been fetched and not handed out: bounded by bytes, handed out batch by batch, each partition in turn.
// Pure accounting; reading the bytes is the batch reader's.

import type { FetchedChunk, PartitionState } from "./partition-state.js";

export interface PrefetchLimits {
  /** For all partitions together. */
  readonly maxPrefetchBytes: number;
}

export class PrefetchBuffer {
  readonly #limits: PrefetchLimits;
  /** Partitions with chunks; the first is next. */
  readonly #turns = new Set<PartitionState>();
  #bytes = 0;

  constructor(limits: PrefetchLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that may still be fetched. */
  get roomBytes(): number {
    return Math.max(0, this.#limits.maxPrefetchBytes - this.#bytes);
  }

  /** A partition with `maxPartitionBytes` unread is not fetched. */
  hasRoomFor(state: PartitionState, maxPartitionBytes: number): boolean {
    return this.roomBytes > 0 && state.bufferedBytes < maxPartitionBytes;
  }

  add(state: PartitionState, bytes: Uint8Array): void {
    state.chunks.push({ bytes, at: 0 });
    this.#count(state, bytes.length);
    this.#turns.add(state);
  }

  /** Puts the rest of a batch back in front: it was not handed out in full. */
  putBack(state: PartitionState, bytes: Uint8Array): void {
    state.chunks.unshift({ bytes, at: 0 });
    this.#count(state, bytes.length);
    // The set has no front: the partition waits for its turn, its own order is kept.
    this.#turns.add(state);
  }

  /** The partition whose turn it is, with its oldest chunk; undefined when there is nothing to hand out. */
  peek(): { readonly state: PartitionState; readonly chunk: FetchedChunk } | undefined {
    for (const state of this.#turns) {
      const chunk = state.chunks[0];
      if (chunk === undefined) {
        this.#turns.delete(state);
      } else if (!state.isPaused) {
        return { state, chunk };
      }
    }
    return undefined;
  }

  /** So much of the oldest chunk was read. */
  advance(state: PartitionState, chunk: FetchedChunk, bytes: number): void {
    chunk.at += bytes;
    this.#count(state, -bytes);
    if (chunk.at >= chunk.bytes.length) {
      state.chunks.shift();
    }
  }

  /** The partition had its turn: it goes to the back. */
  rotate(state: PartitionState): void {
    this.#turns.delete(state);
    if (state.chunks.length > 0) {
      this.#turns.add(state);
    }
  }

  /** Frees what a partition holds; call before it is sent elsewhere or dropped. */
  discard(state: PartitionState): void {
    this.#bytes -= state.bufferedBytes;
    state.bufferedBytes = 0;
    state.chunks.length = 0;
    this.#turns.delete(state);
  }

  #count(state: PartitionState, bytes: number): void {
    state.bufferedBytes += bytes;
    this.#bytes += bytes;
  }
}
