import { describe, expect, it } from "vitest";
import { choosePartition, createPartitioner, StickyPartitioner } from "./partitioner.js";

let drawn = 0;
const random = {
  fill: (target: Uint8Array) => target,
  float: () => 0,
  below: (n: number) => drawn++ % n,
};

describe("partitioners", () => {
  it("sends a key, as text or as bytes, to the partition that Kafka's murmur2 names", () => {
    // murmur2("foobar") is -790332482 (Kafka's own test), without its sign bit 1357151166; mod 7 it is 4.
    const sticky = new StickyPartitioner(random);
    expect(sticky.partition({ topic: "t", key: "foobar", value: null }, 7)).toBe(1357151166 % 7);
    const key = new TextEncoder().encode("foobar");
    expect(sticky.partition({ topic: "t", key, value: null }, 7)).toBe(1357151166 % 7);
  });

  it("stays on one partition until its batch is full, then moves to another", () => {
    const sticky = new StickyPartitioner(random);
    const pick = () => sticky.partition({ topic: "t", value: "v" }, 5);
    const first = pick();
    expect([pick(), pick()]).toEqual([first, first]);
    sticky.onNewBatch("t", 5, first);
    const second = pick();
    expect(second).not.toBe(first);
    // News of a batch elsewhere (a keyed record's) changes nothing.
    sticky.onNewBatch("t", 5, first);
    expect(pick()).toBe(second);
  });

  it("prefers the record's own partition, and refuses one that does not exist", () => {
    const custom = createPartitioner(() => 2, random);
    expect(choosePartition({ topic: "t", value: "v", partition: 1 }, 3, custom)).toBe(1);
    expect(choosePartition({ topic: "t", value: "v" }, 3, custom)).toBe(2);
    expect(() => choosePartition({ topic: "t", value: "v" }, 2, custom)).toThrow(
      /partition: t has partitions 0 to 1, got 2/,
    );
  });
});
