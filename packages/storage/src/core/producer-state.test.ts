import { crc32c } from "@millrace/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "./producer-snapshot.js";
import { ProducerState, type SequencedBatch } from "./producer-state.js";

const MODULUS = 2 ** 31;

function batch(
  producerEpoch: number,
  baseSequence: number,
  count: number,
  baseOffset: number,
): SequencedBatch {
  return {
    producerId: 1,
    producerEpoch,
    baseSequence,
    lastSequence: (baseSequence + count - 1) % MODULUS,
    baseOffset,
    lastOffset: baseOffset + count - 1,
    maxTimestamp: 10,
  };
}

describe("ProducerState", () => {
  it("wraps sequence numbers from 2^31-1 to 0", () => {
    const state = new ProducerState();
    state.apply(batch(0, MODULUS - 2, 3, 0), 0);
    expect(state.check(batch(0, 1, 1, 3))).toEqual({ kind: "in order" });
    expect(state.check(batch(0, 0, 1, 3)).kind).toBe("refused");
  });

  it("fences an older epoch and lets a newer one begin at 0 only", () => {
    const state = new ProducerState();
    state.apply(batch(3, 0, 1, 0), 0);
    expect(state.check(batch(2, 1, 1, 1))).toMatchObject({ error: "INVALID_PRODUCER_EPOCH" });
    expect(state.check(batch(4, 1, 1, 1))).toMatchObject({ error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    expect(state.check(batch(4, 0, 1, 1))).toEqual({ kind: "in order" });
  });

  it("forgets producers that were idle for too long", () => {
    const state = new ProducerState();
    state.apply(batch(0, 0, 1, 0), 100);
    state.expire(100);
    expect(state.size).toBe(1);
    state.expire(101);
    expect(state.size).toBe(0);
  });

  it("keeps those who wrote last, whatever was taken back or forgotten in between", () => {
    const steps = fc.array(
      fc.record({
        producerId: fc.nat(4),
        kind: fc.constantFrom("write", "trial", "trim", "expire"),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const state = new ProducerState();
        let order: number[] = [];
        for (const [index, { producerId, kind }] of all.entries()) {
          if (kind === "write") {
            state.apply({ ...batch(0, index, 1, index), producerId }, index);
            order = [...order.filter((id) => id !== producerId), producerId];
          } else if (kind === "trial" && order.at(-1) === producerId) {
            const undo = state.apply({ ...batch(0, index, 1, index), producerId }, index);
            if (undo !== undefined) {
              state.undo(undo);
            }
          } else if (kind === "trim") {
            state.keepNewest(3);
            order = order.slice(-3);
          } else if (kind === "expire" && order.length > 0) {
            state.expire((state.get(order[0] ?? -1)?.lastWriteMs ?? -1) + 1);
            order = order.slice(1);
          }
          expect([...state.entries()].map(([id]) => id)).toEqual(order);
        }
      }),
    );
  });

  it("agrees with a list of all batches: next is in order, one of the last five a duplicate, others refused", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        counts,
        fc.integer({ min: 0, max: MODULUS - 1 }),
        fc.nat(14),
        (sizes, first, at) => {
          const state = new ProducerState();
          const written: SequencedBatch[] = [];
          let sequence = first;
          let offset = 0;
          for (const size of sizes) {
            const next = batch(0, sequence, size, offset);
            expect(state.check(next)).toEqual({ kind: "in order" });
            state.apply(next, 0);
            written.push(next);
            sequence = (next.lastSequence + 1) % MODULUS;
            offset += size;
          }
          const asked = written[at];
          if (asked === undefined) {
            return;
          }
          const verdict = state.check(asked);
          const isKnown = at >= written.length - 5;
          expect(verdict.kind).toBe(isKnown ? "duplicate" : "refused");
          if (verdict.kind === "duplicate") {
            expect(verdict.original.baseOffset).toBe(asked.baseOffset);
          }
        },
      ),
    );
  });

  it("takes steps back in reverse order to exactly where it was", () => {
    fc.assert(
      fc.property(fc.nat(8), fc.nat(8), (before, after) => {
        const state = new ProducerState();
        for (let index = 0; index < before; index++) {
          state.apply(batch(0, index, 1, index), index);
        }
        const was = [...state.entries()];
        const undos = [];
        for (let index = before; index < before + after; index++) {
          const undo = state.apply(batch(0, index, 1, index), index);
          undos.push(undo);
        }
        for (const undo of undos.reverse()) {
          if (undo !== undefined) {
            state.undo(undo);
          }
        }
        expect([...state.entries()]).toEqual(was);
      }),
    );
  });

  it("survives a snapshot whole, and no damaged snapshot is taken for one", () => {
    const state = new ProducerState();
    for (let index = 0; index < 7; index++) {
      state.apply(batch(0, index, 1, index), index);
    }
    const producers = [...state.entries()];
    const bytes = encodeProducerSnapshot({ offset: 7, producers }, { crc32c });
    expect(decodeProducerSnapshot(bytes, { crc32c })).toEqual({ offset: 7, producers });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const decoded = decodeProducerSnapshot(damaged, { crc32c });
      // Two bytes are reserved.
      expect(decoded === undefined || (bit >= 48 && bit < 64)).toBe(true);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeProducerSnapshot(bytes.slice(0, length), { crc32c })).toBeUndefined();
    }
  });
});
