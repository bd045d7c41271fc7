import { describe, expect, it } from "vitest";
import { murmur2, partitionForKey } from "./murmur2.js";
import { fromHex, readVectors } from "./test-support/fixtures.js";

interface Vector {
  readonly key: string;
  readonly hash: number;
  readonly partitionOf12: number;
}

// Computed by Kafka's own Utils.murmur2 and Utils.toPositive.
const vectors = readVectors<readonly Vector[]>("murmur2.json");

describe("murmur2", () => {
  it.each(vectors)("hashes $key as Kafka does", ({ key, hash, partitionOf12 }) => {
    expect(murmur2(fromHex(key))).toBe(hash);
    expect(partitionForKey(fromHex(key), 12)).toBe(partitionOf12);
  });

  it("puts every key on partition 0 of 1", () => {
    expect(vectors.every(({ key }) => partitionForKey(fromHex(key), 1) === 0)).toBe(true);
  });
});
