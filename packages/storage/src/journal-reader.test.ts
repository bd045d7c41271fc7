import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import {
  copiesThatSurvive,
  encodeJournalFrame,
  encodeJournalHeader,
  type JournalEntry,
  journalEntryBytes,
} from "./core/commit-journal-format.js";
import { writeFully } from "./files.js";
import { journalFrames, openJournal } from "./journal-reader.js";

const SALT = 77;
const PATH = "/commit-journal-0";

const extent = (position: number): JournalEntry => ({
  kind: "extent",
  name: "events-0",
  baseOffset: 0,
  position,
  chunks: [new Uint8Array(300).fill(position)],
  sizeBytes: 300,
});
const forget: JournalEntry = { kind: "forget", name: "events-0" };

/** What is read of a file with a frame for each of `parts`, after `damage` to its bytes behind the header. */
async function read(
  parts: readonly JournalEntry[],
  damage: (frames: Uint8Array, startOf: (index: number) => number) => void,
): Promise<string[]> {
  const { simulation, runtime } = createSimRuntime();
  const { compute, fileSystem } = runtime;
  const header = encodeJournalHeader({ salt: SALT, generation: 1 }, compute);
  const frames = parts.map((entry) =>
    encodeJournalFrame([entry], journalEntryBytes(entry), { salt: SALT, compute }),
  );
  const starts = frames.map((_, index) =>
    frames.slice(0, index).reduce((sum, frame) => sum + frame.length, 0),
  );
  const bytes = Buffer.concat(frames);
  damage(bytes, (index) => starts[index] ?? 0);
  return await simulation.run(async () => {
    const file = await fileSystem.open(PATH, "createNew");
    await writeFully(file, [header, bytes], 0);
    const journal = await openJournal(runtime, PATH);
    if (journal === undefined) {
      throw new Error("no journal");
    }
    const found: string[] = [];
    for await (const { entries, isTorn } of journalFrames(runtime, journal)) {
      found.push(entries === undefined ? (isTorn ? "torn" : "damaged") : (entries[0]?.kind ?? ""));
    }
    return found;
  });
}

const copies = Array.from({ length: 14 }, () => forget);

describe("reading the commit journal", () => {
  it("takes every frame", async () => {
    expect(await read([extent(0), forget, extent(1)], () => {})).toEqual([
      "extent",
      "forget",
      "extent",
    ]);
  });

  it("finds the frame behind one whose header is bad, and calls that one damaged", async () => {
    for (const byte of [0, 3, 5]) {
      const found = await read([extent(0), extent(1), extent(2)], (frames, startOf) => {
        frames[startOf(1) + byte] = 0xff;
      });
      expect(found).toEqual(["extent", "damaged", "extent"]);
    }
  });

  it("finds it behind two that one lost sector covers", async () => {
    const found = await read([extent(0), extent(1), extent(2), extent(3)], (frames, startOf) => {
      frames.fill(0, startOf(1) + 100, startOf(2) + 100);
    });
    expect(found).toEqual(["extent", "damaged", "extent"]);
  });

  it("ends at one with nothing whole behind it, and calls it torn when its length is there", async () => {
    const body = await read([extent(0), extent(1)], (frames, startOf) => {
      frames[startOf(1) + 50] = 0xff;
    });
    expect(body).toEqual(["extent", "torn"]);
    const head = await read([extent(0), extent(1)], (frames, startOf) => {
      frames[startOf(1) + 1] = 0xff;
    });
    expect(head).toEqual(["extent"]);
  });

  it("calls bad copies torn when only others of the same words follow", async () => {
    const frameBytes = 12 + journalEntryBytes(forget);
    expect(copies.length).toBeGreaterThanOrEqual(copiesThatSurvive(frameBytes));
    const spoil = (frames: Uint8Array, startOf: (index: number) => number): void => {
      frames.fill(0, startOf(1), startOf(1) + 512);
    };
    const torn = await read([extent(0), ...copies], spoil);
    expect(torn[1]).toBe("torn");
    expect(torn.at(-1)).toBe("forget");
    const damaged = await read([extent(0), ...copies, extent(1)], spoil);
    expect(damaged[1]).toBe("damaged");
    const other = await read([extent(0), ...copies, { ...forget, name: "other-0" }], spoil);
    expect(other[1]).toBe("damaged");
  });
});
