import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OffsetIndex } from "./offset-index.js";
import { TimeIndex } from "./time-index.js";

const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 99 })), {
  maxLength: 200,
});

describe("OffsetIndex", () => {
  it("looks up what a linear search finds, also after it was encoded and cut", () => {
    fc.assert(
      fc.property(steps, fc.nat(2000), fc.nat(20_000), (entries, offset, cut) => {
        const index = new OffsetIndex(1000);
        const model: { lastOffset: number; position: number }[] = [];
        let lastOffset = 999;
        let position = -1;
        for (const [offsets, bytes] of entries) {
          lastOffset += offsets;
          position += bytes;
          index.append({ lastOffset, position });
          model.push({ lastOffset, position });
        }
        const wanted = 1000 + offset;
        expect(index.lookup(wanted)).toEqual(model.findLast((entry) => entry.lastOffset <= wanted));
        const copy = new OffsetIndex(1000, index.encoded().slice());
        expect(copy.problem(position + 1)).toBeUndefined();
        copy.truncateToPosition(cut);
        const kept = model.filter((entry) => entry.position < cut);
        expect(copy.lookup(wanted)).toEqual(kept.findLast((entry) => entry.lastOffset <= wanted));
      }),
    );
  });

  it("has Kafka's bytes: relative offset and position, big-endian", () => {
    const index = new OffsetIndex(5);
    index.append({ lastOffset: 7, position: 4097 });
    expect([...index.encoded()]).toEqual([0, 0, 0, 2, 0, 0, 16, 1]);
  });
});

describe("TimeIndex", () => {
  it("looks up what a linear search finds and takes only entries that rise", () => {
    const entries = fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 9 })), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(entries, fc.nat(1000), (added, wanted) => {
        const index = new TimeIndex(10);
        const model: { timestamp: number; offset: number }[] = [];
        let offset = 9;
        for (const [timestamp, offsets] of added) {
          offset += offsets;
          index.append({ timestamp, offset });
          if (timestamp > (model.at(-1)?.timestamp ?? -1)) {
            model.push({ timestamp, offset });
          }
        }
        expect(index.lookup(wanted)).toEqual(model.findLast((entry) => entry.timestamp <= wanted));
        expect(new TimeIndex(10, index.encoded().slice()).problem(offset + 1)).toBeUndefined();
      }),
    );
  });
});
