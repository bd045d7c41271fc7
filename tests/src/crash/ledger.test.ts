import { describe, expect, it } from "vitest";
import { Ledger } from "./ledger.js";

const LAST_SENT = 5;

function filled(
  read: [offset: number, number: number][],
  acknowledged: [offset: number, number: number][],
): Ledger {
  const ledger = new Ledger();
  ledger.sent(0, "p", LAST_SENT);
  for (const [offset, number] of acknowledged) {
    ledger.acknowledge(0, offset, "p", number);
  }
  for (const [offset, number] of read) {
    ledger.read(0, offset, "p", number);
  }
  return ledger;
}

describe("the ledger", () => {
  it("is content when every acknowledged record is read once and in order", () => {
    const verdict = filled(
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      [
        [0, 0],
        [1, 1],
      ],
    ).verdict();
    expect(verdict).toMatchObject({
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      invented: 0,
      acknowledged: 2,
      read: 3,
    });
  });

  it("counts an acknowledged record that is not there as lost", () => {
    expect(
      filled(
        [[0, 0]],
        [
          [0, 0],
          [1, 1],
        ],
      ).verdict().lost,
    ).toBe(1);
  });

  it("counts a record at two offsets as duplicated, acknowledged or not", () => {
    expect(
      filled(
        [
          [0, 0],
          [1, 0],
        ],
        [],
      ).verdict().duplicated,
    ).toBe(1);
  });

  it("counts a record behind a later one of its producer as out of order", () => {
    expect(
      filled(
        [
          [0, 1],
          [1, 0],
        ],
        [],
      ).verdict().outOfOrder,
    ).toBe(1);
  });

  it("counts a record at another offset than acknowledged as out of order, whichever came first", () => {
    expect(filled([[3, 0]], [[2, 0]]).verdict().outOfOrder).toBe(1);
    const ledger = filled([[3, 0]], []);
    ledger.acknowledge(0, 2, "p", 0);
    expect(ledger.verdict().outOfOrder).toBe(1);
  });

  it("counts a record that nobody sent as invented", () => {
    expect(filled([[0, LAST_SENT + 1]], []).verdict().invented).toBe(1);
    expect(filled([[0, Number.NaN]], []).verdict().invented).toBe(1);
    const ledger = filled([], []);
    ledger.read(0, 0, "nobody", 0);
    expect(ledger.verdict().invented).toBe(1);
  });

  it("counts a partition that is refused once, and its records not as lost, but those of others", () => {
    const ledger = filled([], [[0, 0]]);
    ledger.sent(1, "p", 0);
    ledger.acknowledge(1, 0, "p", 0);
    ledger.refused(0, "quarantined");
    ledger.refused(0, "quarantined");
    expect(ledger.verdict()).toMatchObject({ refused: 1, lost: 1 });
    expect(ledger.verdict().problems[0]).toBe("partition 0: quarantined");
  });
});
