// Finds what of a log cannot be read, segment by segment: which bytes, and which offsets they held. Reads only. What
// follows damage is found again by the batches themselves, which carry their offsets and a CRC.

import {
  type BatchHeader,
  isBatchCrcValid,
  isMillraceError,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute, FileSystem } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import { LOG_SUFFIX, parseSegmentFileName, segmentFileName } from "./core/segment-name.js";
import { rebuildEpochs, type SegmentView } from "./epoch-rebuild.js";
import { readFully } from "./files.js";
import type { SizedFile } from "./journal-overlay.js";
import { findBatch, runsBehindBadBatch } from "./torn-tail.js";

/** Bytes that are no batches of this log, and the offsets that are lost with them. */
export interface DamagedRange {
  readonly fromPosition: number;
  /** Exclusive; the same as `fromPosition` where bytes are missing. */
  readonly toPosition: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly problem: string;
  /** For the batch that takes the range's place. */
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
}

export interface SegmentPlan {
  readonly baseOffset: number;
  /** The whole segment file is missing. */
  readonly isMissing: boolean;
  readonly sizeBytes: number;
  readonly ranges: readonly DamagedRange[];
}

export interface PlanOptions {
  readonly fileSystem: FileSystem;
  readonly compute: Pick<Compute, "crc32c">;
  /** The partition's. */
  readonly directory: string;
  /** Everything below was on the disk once. */
  readonly recoveryPoint: number;
  /** Undefined: unknown. */
  readonly logStartOffset: number | undefined;
  /** What the checkpoint file says; undefined when it is lost: then what the batches say counts. */
  readonly epochs: LeaderEpochs | undefined;
  /** Damage was found before: nothing is taken for a torn tail, as by a start. */
  readonly isQuarantined: boolean;
  /** What is read in a segment's file's place. Default: the file. */
  readonly view?: SegmentView | undefined;
}

const HEADER_BYTES = 61;

/** Segments with something to repair, in order. */
export async function planRepair(lookedAt: PlanOptions): Promise<readonly SegmentPlan[]> {
  const bases = await segmentBases(lookedAt);
  const epochs = lookedAt.epochs ?? (await rebuildEpochs({ ...lookedAt, bases })).epochs;
  const options = { ...lookedAt, epochs };
  const plans: SegmentPlan[] = [];
  const missing = missingFirst(options, bases[0]);
  if (missing !== undefined) {
    plans.push(missing);
  }
  for (const [index, base] of bases.entries()) {
    const plan = await planSegment(options, base, bases[index + 1]);
    if (plan.ranges.length > 0) {
      plans.push(plan);
    }
  }
  return plans;
}

/** Without segments that lie wholly before the log start: a power cut may bring some of those back, with others missing. */
async function segmentBases(options: PlanOptions): Promise<readonly number[]> {
  const { directory, fileSystem, logStartOffset = 0 } = options;
  const entries = await fileSystem.readDirectory(directory);
  const bases = entries.flatMap(({ name }) => {
    const parsed = parseSegmentFileName(name);
    return parsed?.suffix === LOG_SUFFIX ? [parsed.baseOffset] : [];
  });
  bases.sort((left, right) => left - right);
  return bases.filter((_, index) => (bases[index + 1] ?? Infinity) > logStartOffset);
}

/** What lies between the log start and the first segment, if the log start is known. */
function missingFirst(options: PlanOptions, first: number | undefined): SegmentPlan | undefined {
  const { epochs, logStartOffset: start, recoveryPoint } = options;
  const end = first ?? recoveryPoint;
  if (end <= (start ?? end)) {
    return undefined;
  }
  const baseOffset = start ?? 0;
  const range: DamagedRange = {
    fromPosition: 0,
    toPosition: 0,
    firstOffset: baseOffset,
    lastOffset: end - 1,
    problem: "the segment is missing",
    leaderEpoch: Math.max(0, epochs?.epochAt(baseOffset) ?? 0),
    maxTimestamp: -1,
  };
  return { baseOffset, isMissing: true, sizeBytes: 0, ranges: [range] };
}

async function planSegment(
  options: PlanOptions,
  baseOffset: number,
  next: number | undefined,
): Promise<SegmentPlan> {
  const path = `${options.directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}`;
  const opened = await options.fileSystem.open(path, "read");
  try {
    const file = options.view?.(baseOffset, opened) ?? opened;
    const sizeBytes = await file.size();
    const walk = new SegmentWalk(options, { file, sizeBytes, baseOffset, next });
    return { baseOffset, isMissing: false, sizeBytes, ranges: await walk.run() };
  } finally {
    await opened.close();
  }
}

interface WalkedSegment {
  readonly file: SizedFile;
  readonly sizeBytes: number;
  readonly baseOffset: number;
  /** Where the next segment begins; undefined for the last. */
  readonly next: number | undefined;
}

class SegmentWalk {
  readonly #options: PlanOptions;
  readonly #segment: WalkedSegment;
  readonly #ranges: DamagedRange[] = [];
  #position = 0;
  #offset: number;
  #leaderEpoch = -1;
  #maxTimestamp = -1;

  constructor(options: PlanOptions, segment: WalkedSegment) {
    this.#options = options;
    this.#segment = segment;
    this.#offset = segment.baseOffset;
  }

  async run(): Promise<readonly DamagedRange[]> {
    const { sizeBytes } = this.#segment;
    for (;;) {
      const problem = await this.#readOn();
      if (problem === undefined && this.#position === sizeBytes) {
        this.#finish("its end is missing");
        return this.#ranges;
      }
      const found = (await this.#isTorn()) ? undefined : await this.#nextBatch();
      if (found === undefined) {
        this.#finish(problem ?? "it cannot be read");
        return this.#ranges;
      }
      this.#addRange({
        to: found.position,
        nextOffset: found.header.baseOffset,
        problem: problem ?? "it cannot be read",
        nextEpoch: found.header.leaderEpoch,
      });
    }
  }

  /** What a power cut left of writes that nobody was promised, which may have reached the disk in any order. */
  async #isTorn(): Promise<boolean> {
    const { file, next, sizeBytes: size } = this.#segment;
    const { compute, epochs, isQuarantined, recoveryPoint } = this.#options;
    if (isQuarantined || next !== undefined || this.#offset < recoveryPoint) {
      return false;
    }
    const place = { position: this.#position, size, expectedOffset: this.#offset };
    return (await runsBehindBadBatch({ file, compute, epochs, ...place })) === undefined;
  }

  /** Walks over good batches. @returns why it ended before the end of the file */
  async #readOn(): Promise<string | undefined> {
    const { file, sizeBytes } = this.#segment;
    const { compute, epochs } = this.#options;
    const sequence = new BatchSequence(this.#offset, epochs);
    const limit = this.#limit;
    let problem: string | undefined;
    const end = await scanBatches({
      file,
      from: this.#position,
      to: sizeBytes,
      verifyCrc: compute,
      visit: ({ header }) => {
        problem = this.#problemWith(header, sequence, limit);
        if (problem !== undefined) {
          return false;
        }
        sequence.accept(header);
        this.#leaderEpoch = header.leaderEpoch;
        this.#maxTimestamp = Math.max(this.#maxTimestamp, header.maxTimestamp);
        return undefined;
      },
    });
    this.#position = end.position;
    this.#offset = sequence.nextOffset;
    return end.problem ?? problem;
  }

  #problemWith(header: BatchHeader, sequence: BatchSequence, limit: number): string | undefined {
    if (header.leaderEpoch < this.#leaderEpoch) {
      return `its leader epoch ${header.leaderEpoch} is below its predecessor's ${this.#leaderEpoch}`;
    }
    return header.lastOffset >= limit
      ? `its last offset ${header.lastOffset} is beyond the segment's end ${limit}`
      : sequence.problemWith(header);
  }

  /** No batch of this segment reaches it. */
  get #limit(): number {
    return this.#segment.next ?? Number.MAX_SAFE_INTEGER;
  }

  /**
   * The first good batch behind the damage. Where the bad batch's own size leads to one, that is it: its records may
   * hold what looks like batches. Else every byte may be the first of one.
   */
  async #nextBatch(): Promise<{ position: number; header: BatchHeader } | undefined> {
    const { file, sizeBytes: size } = this.#segment;
    const claimed = await this.#claimedEnd();
    const direct = claimed === undefined ? undefined : await this.#accepted(claimed);
    if (direct !== undefined) {
      return direct;
    }
    const bad = {
      file,
      compute: this.#options.compute,
      position: this.#position,
      size,
      expectedOffset: this.#offset,
    };
    let found = await findBatch(bad, this.#position + 1);
    while (found !== undefined) {
      const batch = await this.#accepted(found.position);
      if (batch !== undefined) {
        return batch;
      }
      found = await findBatch(bad, found.position + 1);
    }
    return undefined;
  }

  /** Where the bad batch says that it ends; undefined when it cannot say. */
  async #claimedEnd(): Promise<number | undefined> {
    const { sizeBytes } = this.#segment;
    const header = await this.#headerAt(this.#position);
    const end = this.#position + (header?.sizeBytes ?? 0);
    return header !== undefined && end < sizeBytes ? end : undefined;
  }

  async #headerAt(position: number): Promise<BatchHeader | undefined> {
    const bytes = await readFully(this.#segment.file, position, HEADER_BYTES);
    try {
      return bytes === undefined ? undefined : readBatchHeader(bytes);
    } catch (error) {
      if (isMillraceError(error)) {
        return undefined;
      }
      throw error;
    }
  }

  /** The batch at `position`, if it is whole and this log can go on with it. */
  async #accepted(
    position: number,
  ): Promise<{ position: number; header: BatchHeader } | undefined> {
    const header = await this.#headerAt(position);
    if (header === undefined || header.baseOffset <= this.#offset) {
      return undefined;
    }
    const sequence = new BatchSequence(header.baseOffset, this.#options.epochs);
    if (this.#problemWith(header, sequence, this.#limit) !== undefined) {
      return undefined;
    }
    const { file, sizeBytes } = this.#segment;
    const isThere = header.sizeBytes <= sizeBytes - position;
    const bytes = isThere ? await readFully(file, position, header.sizeBytes) : undefined;
    const isWhole = bytes !== undefined && isBatchCrcValid(bytes, 0, this.#options.compute);
    return isWhole ? { position, header } : undefined;
  }

  /** The end of the file: offsets that were there once and are not are lost; a torn tail is none of ours. */
  #finish(problem: string): void {
    const { next, sizeBytes } = this.#segment;
    const nextOffset = next ?? this.#options.recoveryPoint;
    if (this.#offset < nextOffset) {
      this.#addRange({ to: sizeBytes, nextOffset, problem, nextEpoch: undefined });
    }
  }

  #addRange(range: {
    readonly to: number;
    readonly nextOffset: number;
    readonly problem: string;
    readonly nextEpoch: number | undefined;
  }): void {
    const recorded = this.#options.epochs?.epochAt(this.#offset) ?? -1;
    const known = this.#leaderEpoch >= 0 ? this.#leaderEpoch : (range.nextEpoch ?? 0);
    this.#ranges.push({
      fromPosition: this.#position,
      toPosition: range.to,
      firstOffset: this.#offset,
      lastOffset: range.nextOffset - 1,
      problem: range.problem,
      leaderEpoch: recorded >= 0 ? recorded : known,
      maxTimestamp: this.#maxTimestamp,
    });
    this.#position = range.to;
    this.#offset = range.nextOffset;
  }
}
