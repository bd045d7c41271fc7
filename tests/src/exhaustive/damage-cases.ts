// Every way in which the exhaustive test damages a segment: each truncation length, each single bit, each zeroed sector.

import type { Damaged } from "./known-checksums.js";

export const SECTOR_BYTES = 512;
export const damageKinds = ["truncation", "bit flip", "zeroed sector"] as const;
export type DamageKind = (typeof damageKinds)[number];

export interface DamageCase {
  readonly kind: DamageKind;
  /** The length; the number of the bit (8 times its byte, plus its place in it); the sector's first byte. */
  readonly at: number;
}

/** How many cases of a kind a file of `length` bytes has. */
export function caseCount(kind: DamageKind, length: number): number {
  switch (kind) {
    case "truncation":
      return length;
    case "bit flip":
      return length * 8;
    case "zeroed sector":
      return Math.ceil(length / SECTOR_BYTES);
  }
}

export function caseOf(kind: DamageKind, number: number): DamageCase {
  return { kind, at: kind === "zeroed sector" ? number * SECTOR_BYTES : number };
}

/** Runs `use` on the damaged bytes; they are as before when it is done. */
export async function withDamage<T>(
  bytes: Uint8Array,
  one: DamageCase,
  use: (damaged: Uint8Array) => Promise<T>,
): Promise<T> {
  const { kind, at } = one;
  if (kind === "truncation") {
    return await use(bytes.subarray(0, at));
  }
  const { from, to } = damagedRange(one, bytes.length);
  const before = bytes.slice(from, to);
  if (kind === "zeroed sector") {
    bytes.fill(0, from, to);
  } else {
    bytes[from] = (bytes[from] ?? 0) ^ (1 << (at & 7));
  }
  try {
    return await use(bytes);
  } finally {
    bytes.set(before, from);
  }
}

/** Where `withDamage` changes bytes, or may. */
export function damagedRange({ kind, at }: DamageCase, length: number): Damaged {
  switch (kind) {
    case "truncation":
      return { from: at, to: length };
    case "bit flip":
      return { from: at >> 3, to: (at >> 3) + 1 };
    case "zeroed sector":
      return { from: at, to: Math.min(length, at + SECTOR_BYTES) };
  }
}
