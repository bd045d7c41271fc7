// Recovers one damaged segment with the real engine, reads all of it, and compares with what must hold: nothing wrong
// is served, nothing below the recovery point is cut, everything undamaged is served, and only a torn tail is cut. What
// must hold is worked out here from the damage itself, not by the engine's code.

import { isMillraceError } from "@millrace/protocol";
import { type Clock, type Compute, silentLogger } from "@millrace/runtime";
import { type Log, LogManager, type StorageRuntime } from "@millrace/storage";
import { type DamageCase, damagedRange, withDamage } from "./damage-cases.js";
import { FrozenFiles } from "./frozen-files.js";
import { KnownChecksums } from "./known-checksums.js";
import { LOG_PATH, type SegmentScene, TOPIC } from "./segment-scene.js";

/** What became of the log. */
export type Verdict =
  | "cut to its undamaged beginning"
  | "quarantined at the start"
  | "quarantined by a read"
  | "served as if nothing had happened"
  | "refused with the reason";

export interface Judgement {
  readonly verdict: Verdict;
  /** What must not have happened; undefined when all is well. */
  readonly problem: string | undefined;
}

/** Makes a checksum that lies out of one that does not. */
export type WrapCrc = (crc32c: Compute["crc32c"]) => Compute["crc32c"];

interface Expected {
  /** The log goes on, from here. */
  readonly cutTo: number | undefined;
  /** Per batch of the scene. */
  readonly isServed: readonly boolean[];
}

/** Time stands still: nothing happens by itself. */
export const timeless: Clock = {
  nowMs: () => 1_000_000,
  monotonicMs: () => 0,
  setTimer: () => ({ cancel: () => undefined }),
  sleep: () => new Promise(() => undefined),
  defer: () => undefined,
};

const READ_BYTES = 1 << 20;

export class SegmentJudge {
  readonly #scene: SegmentScene;
  readonly #known: KnownChecksums;
  readonly #compute: Compute;
  /** Damaged by the case that runs. */
  readonly #bytes: Uint8Array;
  readonly #random = { fill: (target: Uint8Array) => target, float: () => 0, below: () => 0 };

  constructor(scene: SegmentScene, compute: Compute) {
    this.#scene = scene;
    this.#known = new KnownChecksums(LOG_PATH, scene.bytes.length);
    this.#compute = compute;
    this.#bytes = scene.bytes.slice();
  }

  /** One case at a time. `wrapCrc`: the planted bug of a negative control. */
  async judge(one: DamageCase, wrapCrc?: WrapCrc): Promise<Judgement> {
    return await withDamage(this.#bytes, one, (bytes) => this.#judge(one, bytes, wrapCrc));
  }

  async #judge(
    one: DamageCase,
    bytes: Uint8Array,
    wrapCrc: WrapCrc | undefined,
  ): Promise<Judgement> {
    const scene = this.#scene;
    const fileSystem = new FrozenFiles(new Map([...scene.image, [LOG_PATH, bytes]]));
    const range = damagedRange(one, scene.bytes.length);
    const honest = this.#known.over(fileSystem.places, range);
    const log = await this.#recover(fileSystem, wrapCrc?.(honest) ?? honest);
    if (log === undefined) {
      return { verdict: "quarantined at the start", problem: "the log is gone" };
    }
    const { state } = log;
    const expected = this.#expect(one, { bytes, state });
    const problem =
      stateProblem(log, expected, scene) ??
      sizeProblem(fileSystem.peek(LOG_PATH)?.length, expected, { bytes, scene }) ??
      (await this.#readProblem(log, expected));
    return { verdict: verdictOf(state, log, expected), problem };
  }

  async #recover(fileSystem: FrozenFiles, crc32c: Compute["crc32c"]): Promise<Log | undefined> {
    const { compress, decompress, codecs } = this.#compute;
    const runtime: StorageRuntime = {
      clock: timeless,
      random: this.#random,
      fileSystem,
      compute: { crc32c, compress, decompress, codecs },
      logger: silentLogger,
    };
    const config = { reserveBytes: 0 };
    const manager = await LogManager.open({ runtime, path: "/data", nodeId: 1, config });
    return manager.getLog(TOPIC, 0);
  }

  #expect(
    one: DamageCase,
    found: { readonly bytes: Uint8Array; readonly state: Log["state"] },
  ): Expected {
    const { batches, recoveryPoint, bytes } = this.#scene;
    const isWhole = batches.map(({ from, to }) => isSame(found.bytes, bytes, from, to));
    const isTrusted = batches.map(({ baseOffset }) => baseOffset < recoveryPoint);
    const firstBad = isWhole.findIndex((whole, index) => !whole && !isTrusted[index]);
    const isTrustedBad = isWhole.some((whole, index) => !whole && isTrusted[index]);
    // The rule of a torn tail: past the recovery point, and either nothing whole follows or a sector was never written.
    const isTorn =
      firstBad >= 0 && (one.kind === "zeroed sector" || !isWhole.includes(true, firstBad));
    // Damage on both sides of the recovery point: a start that finds the former cuts nothing.
    return isTorn && !(isTrustedBad && found.state === "quarantined")
      ? { cutTo: firstBad, isServed: isWhole.map((whole, index) => whole && index < firstBad) }
      : { cutTo: undefined, isServed: isWhole };
  }

  /** Reads from the beginning to the end, batch by batch behind what cannot be read. */
  async #readProblem(log: Log, expected: Expected): Promise<string | undefined> {
    const { batches } = this.#scene;
    const isServed = batches.map(() => false);
    let index = 0;
    while (index < batches.length && (batches[index]?.baseOffset ?? 0) < log.logEndOffset) {
      const read = await this.#readAt(log, index);
      if (typeof read === "string") {
        return read;
      }
      isServed.fill(true, index, index + read);
      index += Math.max(1, read);
    }
    const wrong = isServed.findIndex((served, at) => served !== expected.isServed[at]);
    return wrong < 0
      ? undefined
      : `batch ${wrong} is ${isServed[wrong] ? "served" : "not served"}, but it is ${expected.isServed[wrong] ? "undamaged" : "damaged or cut"}`;
  }

  /** How many batches were read, 0 when the first is refused; or what is wrong with them. */
  async #readAt(log: Log, index: number): Promise<number | string> {
    const { batches, bytes } = this.#scene;
    const first = batches[index];
    const offset = first?.baseOffset ?? 0;
    const options = { offset, maxBytes: READ_BYTES, endOffset: log.logEndOffset };
    try {
      const slice = await log.read({ ...options, minOneBatch: true });
      let at = first?.from ?? 0;
      for (const chunk of slice.chunks) {
        if (!isSame(chunk, bytes.subarray(at), 0, chunk.length)) {
          return `a read at offset ${offset} got bytes that were never written`;
        }
        at += chunk.length;
      }
      const count = batches.findIndex(({ to }) => to === at) + 1 - index;
      return count > 0 && slice.sizeBytes > 0 ? count : `a read at offset ${offset} got nothing`;
    } catch (error) {
      const isHonest =
        isMillraceError(error) &&
        (error.code === "CORRUPT_MESSAGE" || error.code === "PARTITION_QUARANTINED");
      return isHonest ? 0 : `a read at offset ${offset} failed with ${String(error)}`;
    }
  }
}

function isSame(left: Uint8Array, right: Uint8Array, from: number, to: number): boolean {
  return Buffer.compare(left.subarray(from, to), right.subarray(from, to)) === 0;
}

function stateProblem(log: Log, expected: Expected, scene: SegmentScene): string | undefined {
  const { cutTo } = expected;
  const isCut = cutTo !== undefined;
  if (isCut !== (log.state === "online") && isCut) {
    return `a torn tail was not cut, the log is ${log.state}`;
  }
  const end = isCut ? (scene.batches[cutTo]?.baseOffset ?? 0) : log.logEndOffset;
  if (log.logEndOffset !== end) {
    return `the log ends at ${log.logEndOffset} instead of ${end}`;
  }
  return log.logEndOffset < scene.recoveryPoint
    ? `the log ends at ${log.logEndOffset}, below its recovery point`
    : undefined;
}

function sizeProblem(
  size: number | undefined,
  expected: Expected,
  files: { readonly bytes: Uint8Array; readonly scene: SegmentScene },
): string | undefined {
  const { cutTo } = expected;
  const end = cutTo === undefined ? files.bytes.length : files.scene.batches[cutTo]?.from;
  return size === end ? undefined : `the file has ${size} bytes instead of ${end}`;
}

function verdictOf(stateAtStart: Log["state"], log: Log, expected: Expected): Verdict {
  if (stateAtStart === "quarantined") {
    return "quarantined at the start";
  }
  if (log.state === "quarantined") {
    return "quarantined by a read";
  }
  return expected.cutTo === undefined
    ? "served as if nothing had happened"
    : "cut to its undamaged beginning";
}
