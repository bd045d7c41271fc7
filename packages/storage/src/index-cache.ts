// Bounds what the loaded indexes of sealed segments take, over all logs: the ones used longest ago are dropped and
// loaded again when needed. So are their file handles closed, which bounds the open files as well.

import type { Segment } from "./segment.js";

/** Sealed segments whose files and indexes are kept open at most. */
const SEGMENTS_MAX = 512;

export class IndexCache {
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #segments = new Map<Segment, number>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A sealed segment was used. */
  touch(segment: Segment): void {
    this.forget(segment);
    const bytes = segment.indexBytes;
    this.#segments.set(segment, bytes);
    this.#sizeBytes += bytes;
    for (const oldest of this.#segments.keys()) {
      const isWithin = this.#sizeBytes <= this.#maxBytes && this.#segments.size <= SEGMENTS_MAX;
      if (isWithin || oldest === segment) {
        return;
      }
      this.forget(oldest);
      oldest.rest();
    }
  }

  forget(segment: Segment): void {
    this.#sizeBytes -= this.#segments.get(segment) ?? 0;
    this.#segments.delete(segment);
  }
}
