import { createSimRuntime, type SimNode } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { decodeIndexState, encodeIndexState } from "./core/index-state.js";
import type { Log } from "./log.js";
import { appendFlushed, batchOf, createLog, openManager, valuesOf } from "./testdata/harness.js";

const COUNT = 60;
const DIRECTORY = "/data/events-0";
const CONFIG = { "segment.bytes": "1500", "index.interval.bytes": "100" };
const HINTS = [".index", ".timeindex", ".index-state"] as const;
/** Up and down, so that time indexes have fewer entries than batches. */
const timestampOf = (index: number): number => 1_000 + ((index * 37) % 50) + index;

type Runtime = ReturnType<typeof createSimRuntime>["runtime"];

async function appendAll(log: Log, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    await appendFlushed(log, { values: [`value ${index}`], timestamp: timestampOf(index) });
  }
}

/** What every kind of read says, from every place: in order, from each offset alone, by each timestamp. */
async function everyRead(log: Log): Promise<unknown> {
  const inOrder = [...(await valuesOf(log, 200))];
  const alone: unknown[] = [];
  for (let offset = 0; offset < COUNT; offset += 1) {
    const options = { offset, maxBytes: 1, endOffset: COUNT, minOneBatch: true };
    const slice = await log.read(options);
    alone.push([offset, slice.nextOffset, slice.sizeBytes]);
  }
  const byTime: unknown[] = [];
  for (let timestamp = 999; timestamp < 1_112; timestamp++) {
    byTime.push(await log.offsetForTimestamp(timestamp));
  }
  return { inOrder, alone, byTime, max: await log.maxTimestampOffset() };
}

async function readAfresh(runtime: Runtime): Promise<unknown> {
  const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
  const log = manager.getLog("events", 0);
  try {
    expect(log?.state).toBe("online");
    return await everyRead(log as Log);
  } finally {
    await manager.close();
  }
}

interface Stored {
  readonly node: SimNode;
  readonly runtime: Runtime;
  /** Base names of segments, in order. */
  readonly segments: readonly string[];
  /** The hints as they were half way. */
  readonly early: ReadonlyMap<string, Uint8Array>;
  readonly truth: unknown;
}

/** A log of several segments, closed; what it reads with all its hints. */
async function withStored(body: (stored: Stored) => Promise<void>): Promise<void> {
  const { simulation, node, runtime } = createSimRuntime();
  await simulation.run(async () => {
    const first = await openManager({ runtime });
    const log = await createLog(first, CONFIG);
    await appendAll(log, 0, COUNT / 2 + 3);
    await first.close();
    const hintPaths = (): string[] =>
      node.disk.paths().filter((path) => HINTS.some((hint) => path.endsWith(hint)));
    const early = new Map(hintPaths().map((path) => [path, node.disk.peek(path).slice()]));
    const second = await openManager({ runtime });
    const again = await createLog(second, CONFIG);
    await appendAll(again, COUNT / 2 + 3, COUNT);
    await second.close();
    const segments = node.disk
      .paths()
      .filter((path) => path.startsWith(DIRECTORY) && path.endsWith(".log"))
      .map((path) => path.slice(0, -4))
      .toSorted();
    expect(segments.length).toBeGreaterThan(3);
    await body({ node, runtime, segments, early, truth: await readAfresh(runtime) });
  });
}

interface Damage {
  readonly stored: Stored;
  readonly path: string;
  readonly segment: string;
  readonly hint: (typeof HINTS)[number];
  readonly bytes: Uint8Array;
}

/** Each gives the bytes that take the place of a hint; undefined: the file is gone. */
const kinds: Readonly<Record<string, (damage: Damage) => Uint8Array | undefined>> = {
  "it is gone": () => undefined,
  "it is empty": () => new Uint8Array(0),
  "it is zeros": ({ bytes }) => new Uint8Array(bytes.length),
  "it is ones": ({ bytes }) => new Uint8Array(bytes.length).fill(0xff),
  "a bit is flipped at its start": ({ bytes }) => flipped(bytes, 5),
  "a bit is flipped in the middle": ({ bytes }) => flipped(bytes, bytes.length * 4),
  "a bit is flipped at its end": ({ bytes }) => flipped(bytes, bytes.length * 8 - 1),
  "its end is cut off": ({ bytes }) => bytes.subarray(0, Math.max(0, bytes.length - 4)),
  "something follows it": ({ bytes }) => Uint8Array.from([...bytes, 0, 0, 0, 9, 9, 9, 9, 9]),
  "it is as it once was": ({ stored, path }) => stored.early.get(path),
  "it is another segment's": ({ stored, segment, hint }) => {
    const { segments } = stored;
    // Of the same size, most of them: only what is in it tells that it belongs elsewhere.
    const other = segments[(segments.indexOf(segment) + 1) % segments.length];
    return stored.node.disk.peek(`${other}${hint}`);
  },
};

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = bit >> 3;
  if (at < copy.length) {
    copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  }
  return copy;
}

function put(node: SimNode, path: string, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) {
    node.disk.loseFile(path);
  } else {
    node.disk.plant(path, bytes);
  }
}

function hintsOf(stored: Stored): Map<string, Uint8Array> {
  const paths = stored.segments.flatMap((segment) => HINTS.map((hint) => `${segment}${hint}`));
  return new Map(paths.map((path) => [path, stored.node.disk.peek(path).slice()]));
}

describe("indexes are hints", () => {
  for (const [name, damage] of Object.entries(kinds)) {
    it(`reads the same when one of them is not what it was: ${name}`, () =>
      withStored(async (stored) => {
        const { node, runtime, segments, truth } = stored;
        for (const segment of segments) {
          for (const hint of HINTS) {
            const path = `${segment}${hint}`;
            const bytes = node.disk.peek(path);
            put(node, path, damage({ stored, path, segment, hint, bytes }));
            expect(await readAfresh(runtime)).toEqual(truth);
          }
        }
      }));

    it(`reads the same when all of them are not what they were: ${name}`, () =>
      withStored(async (stored) => {
        const { node, runtime, segments, truth } = stored;
        const before = hintsOf(stored);
        const changed = segments.flatMap((segment) =>
          HINTS.map((hint) => {
            const path = `${segment}${hint}`;
            const bytes = before.get(path) ?? new Uint8Array(0);
            return [path, damage({ stored, path, segment, hint, bytes })?.slice()] as const;
          }),
        );
        for (const [path, bytes] of changed) {
          put(node, path, bytes);
        }
        expect(await readAfresh(runtime)).toEqual(truth);
        // And they are right again for the next start.
        expect(await readAfresh(runtime)).toEqual(truth);
      }));
  }

  it("would be seen to read otherwise from an index that is wrong and believed", () =>
    withStored(async ({ node, runtime, segments, truth }) => {
      const [segment = ""] = segments;
      const { compute } = runtime;
      const index = node.disk.peek(`${segment}.index`).slice();
      const view = new DataView(index.buffer);
      // Places of batches behind the ones it names, with a state that vouches for them.
      for (let entry = 0; entry + 1 < index.length / 8; entry++) {
        view.setUint32(entry * 8 + 4, view.getUint32((entry + 1) * 8 + 4));
      }
      const last = index.subarray(0, index.length - 8);
      const state = decodeIndexState(node.disk.peek(`${segment}.index-state`), compute);
      if (state === undefined) {
        throw new Error("the state is not readable");
      }
      const offsetEntries = last.length / 8;
      const forged = { ...state, offsetEntries, offsetCrc: compute.crc32c(last) };
      node.disk.plant(`${segment}.index`, last);
      node.disk.plant(`${segment}.index-state`, encodeIndexState(forged, compute));
      const read = await readAfresh(runtime).catch((error: unknown) => error);
      expect(read).not.toEqual(truth);
    }));

  it("describe what was written, not what a truncation took away", () =>
    withStored(async ({ runtime }) => {
      const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
      const log = manager.getLog("events", 0) as Log;
      await log.truncateTo(7);
      for (let index = 7; index < COUNT; index++) {
        const batch = batchOf({ values: [`other ${index}`], timestamp: 5_000 - index });
        log.append(batch, { leaderEpoch: 1 });
        await log.whenFlushed(index);
      }
      const truth = await everyRead(log);
      await manager.close();
      expect(await readAfresh(runtime)).toEqual(truth);
    }));
});
