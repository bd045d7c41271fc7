import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createPayloads, markPayload, readMark } from "./payload.js";

const joined = (records: readonly Uint8Array[]): Buffer => Buffer.concat(records);

describe("createPayloads", () => {
  it("makes the same records every time", () => {
    for (const content of ["random", "json"] as const) {
      const [once, again] = [createPayloads(content, 100), createPayloads(content, 100)];
      expect(once.length).toBe(again.length);
      expect(joined(once).equals(joined(again))).toBe(true);
    }
  });

  it("makes records of exactly the size asked for", () => {
    for (const bytes of [1, 8, 100, 1024, 10_240]) {
      for (const content of ["random", "json"] as const) {
        expect(createPayloads(content, bytes).every((record) => record.length === bytes)).toBe(
          true,
        );
      }
    }
  });

  it("compresses json to less than half, and random content not at all", () => {
    const size = (content: "json" | "random"): number => {
      const data = joined(createPayloads(content, 1024).slice(0, 100));
      return gzipSync(data).length / data.length;
    };
    expect(size("json")).toBeLessThan(0.5);
    expect(size("random")).toBeGreaterThan(0.99);
  });
});

describe("a mark", () => {
  it("comes back, also from a view into a larger buffer, and leaves the original alone", () => {
    const [record] = createPayloads("random", 100);
    const before = Uint8Array.from(record ?? []);
    const marked = markPayload(record ?? new Uint8Array(8), 12345.678);
    const wide = new Uint8Array(200);
    wide.set(marked, 50);
    expect(readMark(wide.subarray(50, 150))).toBe(12345.678);
    expect(record).toEqual(before);
    expect(marked.subarray(8)).toEqual(before.subarray(8));
  });
});
