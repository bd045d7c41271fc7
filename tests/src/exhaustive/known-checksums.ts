// The CRC-32C of file ranges that a case did not damage is known from the cases before it. Whatever holds a damaged byte,
// or was not read from the file, is really computed: what is shared is work, never an answer.

import { type Compute, crc32c } from "@millrace/runtime";
import type { ReadPlaces } from "./frozen-files.js";

/** Bytes of the file that are not as they were; `to` is exclusive. */
export interface Damaged {
  readonly from: number;
  readonly to: number;
}

export class KnownChecksums {
  readonly #path: string;
  readonly #length: number;
  readonly #known = new Map<number, number>();

  /** Of the file at `path`, undamaged `length` bytes long. */
  constructor(path: string, length: number) {
    this.#path = path;
    this.#length = length;
  }

  /** A checksum for one case. */
  over(places: ReadPlaces, damaged: Damaged): Compute["crc32c"] {
    return (bytes, seed) => {
      const place = places.get(bytes.buffer);
      if (place?.path !== this.#path || seed !== undefined) {
        return crc32c(bytes, seed);
      }
      const from = place.from + bytes.byteOffset;
      const to = from + bytes.length;
      const isDamaged = from < damaged.to && damaged.from < to;
      if (isDamaged || from < 0 || to > this.#length) {
        return crc32c(bytes);
      }
      const key = from * (this.#length + 1) + to;
      const known = this.#known.get(key) ?? crc32c(bytes);
      this.#known.set(key, known);
      return known;
    };
  }
}
