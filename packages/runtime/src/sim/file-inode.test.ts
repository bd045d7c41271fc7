import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sameBytes } from "../contract/harness.js";
import { FileInode, powerLossModels } from "./file-inode.js";
import { PagedBytes } from "./paged-bytes.js";
import { Prng } from "./prng.js";

type Step =
  | { readonly kind: "write"; readonly position: number; readonly length: number }
  | { readonly kind: "truncate"; readonly size: number }
  | { readonly kind: "sync" };

const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("write" as const),
      position: fc.nat({ max: 12_000 }),
      length: fc.nat({ max: 9_000 }),
    }),
    fc.record({ kind: fc.constant("truncate" as const), size: fc.nat({ max: 12_000 }) }),
    fc.record({ kind: fc.constant("sync" as const) }),
  ),
  { maxLength: 12 },
);

const contentOf = (bytes: PagedBytes): Uint8Array => {
  const content = new Uint8Array(bytes.size);
  bytes.read(content, 0);
  return content;
};

/** The plain model: one array, copied at each step. */
function applyPlainly(content: Uint8Array, step: Step, fill: number): Uint8Array {
  if (step.kind === "write") {
    const grown = new Uint8Array(
      step.length === 0 ? content.length : Math.max(content.length, step.position + step.length),
    );
    grown.set(content);
    grown.fill(fill, step.position, step.position + step.length);
    return grown;
  }
  if (step.kind === "truncate") {
    const cut = new Uint8Array(step.size);
    cut.set(content.subarray(0, step.size));
    return cut;
  }
  return content;
}

function play(plan: readonly Step[]): { file: FileInode; seen: Uint8Array; synced: Uint8Array } {
  const file = new FileInode(0);
  let seen = new Uint8Array(0);
  let synced = seen;
  for (const [index, step] of plan.entries()) {
    const fill = index + 1;
    seen = applyPlainly(seen, step, fill) as typeof seen;
    if (step.kind === "write") {
      file.write(step.position, new Uint8Array(step.length).fill(fill));
    } else if (step.kind === "truncate") {
      file.truncate(step.size);
    } else {
      file.completeSync(file.beginSync());
      synced = seen;
    }
  }
  return { file, seen, synced };
}

/** Draws that let nothing of a failed sync reach the platter. */
function neverReaching(seed: number): Prng {
  return Object.assign(Prng.fromSeed(seed), { below: () => 0 });
}

describe("a file's bytes", () => {
  it("read as a plain array would, through any writes and truncations", () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const { file, seen } = play(plan);
        expect(sameBytes(contentOf(file.cached), seen)).toBe(true);
      }),
    );
  });

  it("are all there after a power loss that keeps everything, and as last synced after one that keeps nothing", () => {
    fc.assert(
      fc.property(steps, fc.nat(), (plan, seed) => {
        for (const model of ["everything", "nothing"] as const) {
          const { file, seen, synced } = play(plan);
          file.losePower(Prng.fromSeed(seed), { model, sectorBytes: 512 });
          const expected = model === "everything" ? seen : synced;
          expect(sameBytes(contentOf(file.cached), expected)).toBe(true);
          expect(sameBytes(contentOf(file.durable), expected)).toBe(true);
        }
      }),
    );
  });

  it("keep what was synced and not touched since, whatever a power loss does", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 20_000 }),
        fc.array(fc.tuple(fc.nat({ max: 20_000 }), fc.integer({ min: 1, max: 3_000 })), {
          maxLength: 8,
        }),
        fc.nat(),
        (syncedLength, appends, seed) => {
          for (const model of powerLossModels) {
            const file = new FileInode(0);
            file.write(0, new Uint8Array(syncedLength).fill(1));
            file.completeSync(file.beginSync());
            for (const [offset, length] of appends) {
              file.write(syncedLength + offset, new Uint8Array(length).fill(2));
            }
            file.losePower(Prng.fromSeed(seed), { model, sectorBytes: 4_096 });
            const content = contentOf(file.cached);
            expect(content.length).toBeGreaterThanOrEqual(syncedLength);
            expect(content.subarray(0, syncedLength).every((byte) => byte === 1)).toBe(true);
          }
        },
      ),
    );
  });

  it("of a sector that a failed sync left out reach the platter with the next write there, and no others", () => {
    const file = new FileInode(0);
    const fill = (position: number, length: number, byte: number): void =>
      file.write(position, new Uint8Array(length).fill(byte));
    fill(0, 1_024, 1);
    file.completeSync(file.beginSync());
    fill(100, 200, 2);
    fill(600, 200, 2);
    const seed = 1;
    file.failSync(file.beginSync(), neverReaching(seed));
    fill(300, 50, 3);
    file.completeSync(file.beginSync());
    file.losePower(Prng.fromSeed(seed), { model: "nothing", sectorBytes: 512 });
    const left = contentOf(file.cached);
    const expected = new Uint8Array(1_024).fill(1).fill(2, 100, 300).fill(3, 300, 350);
    expect(sameBytes(left, expected)).toBe(true);
  });

  it("hold in each sector what some moment of the cache held, for every power loss and failed sync", () => {
    const afterwards = fc.constantFrom("nothing", "sync", "failed sync");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 900 }), fc.integer({ min: 1, max: 700 }), afterwards), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.nat(),
        (writes, seed) => {
          for (const model of powerLossModels) {
            const file = new FileInode(0);
            const moments = [new Uint8Array(1_600)];
            const prng = Prng.fromSeed(seed);
            for (const [index, [position, length, then]] of writes.entries()) {
              file.write(position, new Uint8Array(length).fill(index + 1));
              const moment = new Uint8Array(1_600);
              file.cached.read(moment, 0);
              moments.push(moment);
              if (then === "sync") {
                file.completeSync(file.beginSync());
              } else if (then === "failed sync") {
                file.failSync(file.beginSync(), prng);
              }
            }
            file.losePower(prng, { model, sectorBytes: 512 });
            const left = new Uint8Array(1_600);
            file.cached.read(left, 0);
            for (let start = 0; start < left.length; start += 512) {
              const sector = left.subarray(start, start + 512).join();
              const isPossible = moments.some(
                (moment) => moment.subarray(start, start + 512).join() === sector,
              );
              expect(isPossible, `${model}, sector at ${start}`).toBe(true);
            }
          }
        },
      ),
    );
  });

  it("stay as they were in a clone", () => {
    const bytes = new PagedBytes();
    bytes.write(5_000, Uint8Array.of(1));
    const clone = bytes.clone();
    bytes.write(5_000, Uint8Array.of(2));
    bytes.resize(0);
    expect(contentOf(clone)[5_000]).toBe(1);
    expect(clone.size).toBe(5_001);
  });
});
