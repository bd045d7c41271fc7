import { describe, expect, it } from "vitest";
import { KeyedLedger } from "./keyed-ledger.js";

const VALUE = false;
const TOMBSTONE = true;

/** One partition, one key: what was sent and acknowledged (at offsets 0, 1, ...), and what a reading finds. */
function judged(
  writes: readonly { readonly isTombstone: boolean; readonly isAcknowledged: boolean }[],
  found: readonly (readonly [offset: number, number: number])[],
) {
  const ledger = new KeyedLedger();
  writes.forEach(({ isAcknowledged, isTombstone }, index) => {
    const number = ledger.sent(0, "k", isTombstone);
    if (isAcknowledged) {
      ledger.acknowledge(0, { offset: index, key: "k", number });
    }
  });
  ledger.beginReading(0);
  for (const [offset, number] of found) {
    const isTombstone = writes[number]?.isTombstone ?? VALUE;
    ledger.read(0, { offset, key: "k", number, isTombstone });
  }
  return { ledger, verdict: ledger.verdict() };
}

const acknowledged = (isTombstone: boolean) => ({ isTombstone, isAcknowledged: true });
const open = (isTombstone: boolean) => ({ isTombstone, isAcknowledged: false });
const clean = { lost: 0, duplicated: 0, outOfOrder: 0, invented: 0 };

describe("the ledger of a compacted topic", () => {
  it("is content with the last acknowledged value alone", () => {
    const writes = [acknowledged(VALUE), acknowledged(VALUE), acknowledged(VALUE)];
    expect(judged(writes, [[2, 2]]).verdict).toMatchObject({ ...clean, acknowledged: 3, read: 1 });
  });

  it("is content with a later write that nobody was promised", () => {
    expect(judged([acknowledged(VALUE), open(VALUE)], [[7, 1]]).verdict).toMatchObject(clean);
  });

  it("counts an older value in place of an acknowledged one as lost", () => {
    const writes = [acknowledged(VALUE), acknowledged(VALUE)];
    expect(judged(writes, [[0, 0]]).verdict.lost).toBe(1);
    expect(judged(writes, []).verdict.lost).toBe(1);
  });

  it("counts a value that an acknowledged tombstone had deleted as lost", () => {
    const writes = [acknowledged(VALUE), acknowledged(TOMBSTONE)];
    expect(judged(writes, [[0, 0]]).verdict.lost).toBe(1);
    expect(judged(writes, []).verdict).toMatchObject(clean);
    expect(judged(writes, [[1, 1]]).verdict).toMatchObject(clean);
  });

  it("lets a tombstone that nobody was promised take a value away, but not the other way round", () => {
    expect(judged([acknowledged(VALUE), open(TOMBSTONE)], []).verdict).toMatchObject(clean);
    expect(judged([open(TOMBSTONE), acknowledged(VALUE)], []).verdict.lost).toBe(1);
  });

  it("holds what was read once for promised", () => {
    const { ledger, verdict } = judged([open(VALUE)], [[0, 0]]);
    expect(verdict).toMatchObject(clean);
    ledger.beginReading(0);
    expect(ledger.verdict().lost).toBe(1);
  });

  it("counts another offset than promised, or than read before, as out of order", () => {
    expect(judged([acknowledged(VALUE)], [[4, 0]]).verdict.outOfOrder).toBe(1);
    const { ledger } = judged([open(VALUE)], [[4, 0]]);
    ledger.beginReading(0);
    ledger.read(0, { offset: 5, key: "k", number: 0, isTombstone: VALUE });
    expect(ledger.verdict().outOfOrder).toBe(1);
  });

  it("counts an older write behind a newer one as out of order, and the same again as duplicated", () => {
    const writes = [open(VALUE), open(VALUE)];
    const behind = judged(writes, [
      [0, 1],
      [1, 0],
    ]);
    expect(behind.verdict.outOfOrder).toBe(1);
    const again = judged(writes, [
      [0, 1],
      [1, 1],
    ]);
    expect(again.verdict.duplicated).toBe(1);
  });

  it("counts what was never sent as invented: another number, another kind, another key", () => {
    expect(
      judged(
        [acknowledged(VALUE)],
        [
          [0, 0],
          [1, 1],
        ],
      ).verdict.invented,
    ).toBe(1);
    const { ledger } = judged([open(TOMBSTONE)], []);
    ledger.read(0, { offset: 0, key: "k", number: 0, isTombstone: VALUE });
    ledger.read(0, { offset: 1, key: "other", number: 0, isTombstone: VALUE });
    expect(ledger.verdict().invented).toBe(2);
  });

  it("counts a partition that is refused, and not what is lost of it", () => {
    const { ledger, verdict } = judged([acknowledged(VALUE)], []);
    expect(verdict).toMatchObject({ lost: 1, refused: 0 });
    ledger.refused(0, "quarantined");
    expect(ledger.verdict()).toMatchObject({
      lost: 0,
      refused: 1,
      problems: [expect.any(String), "partition 0: quarantined"],
    });
  });
});
