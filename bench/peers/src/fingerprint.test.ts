import { describe, expect, it } from "vitest";
import { Fingerprint } from "./fingerprint.js";
import { createPayloads } from "./payload.js";

const records = createPayloads("random", 100).slice(0, 50);

function fingerprint(of: readonly Uint8Array[]): number {
  const sum = new Fingerprint();
  for (const record of of) {
    sum.add(record);
  }
  return sum.value;
}

describe("Fingerprint", () => {
  it("is the same in any order", () => {
    expect(fingerprint(records.toReversed())).toBe(fingerprint(records));
  });

  it("changes when a record comes twice in place of another", () => {
    for (let index = 1; index < records.length; index++) {
      const wrong = records.with(index, records[index - 1] as Uint8Array);
      expect(fingerprint(wrong)).not.toBe(fingerprint(records));
    }
  });

  it("counts many times at once", () => {
    const sum = new Fingerprint();
    sum.addAll(records, 1_000_003);
    sum.addAll(records, 2);
    const twice = new Fingerprint();
    twice.addAll(records, 1_000_005);
    expect(sum.value).toBe(twice.value);
    const once = new Fingerprint();
    once.addAll(records, 1);
    expect(once.value).toBe(fingerprint(records));
  });
});
