// Checks a data directory, or one partition's, without writing anything and without a lock: every batch's CRC, offsets,
// epochs against the checkpoint, indexes against the log, snapshots. What the commit journal holds after a crash counts as
// written. On a running broker's directory the last batches may look torn: they are being written.

import type { Compute, FileSystem } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import { LeaderEpochs } from "./core/leader-epochs.js";
import {
  EPOCH_CHECKPOINT_FILE,
  LOG_START_OFFSET_FILE,
  LOG_SUFFIX,
  PARTITION_METADATA_FILE,
  parsePartitionDirectory,
  parseSegmentFileName,
  RECOVERY_POINT_FILE,
  SWAP_SUFFIX,
  segmentFileName,
} from "./core/segment-name.js";
import {
  decodeEpochCheckpoint,
  decodeOffsetCheckpoint,
  decodePartitionMetadata,
  type OffsetCheckpoint,
} from "./core/text-checkpoints.js";
import { readTextIfPresent } from "./files.js";
import { isHalfCreated } from "./found-log.js";
import { JournalOverlay } from "./journal-overlay.js";
import { readIndexState, SegmentIndexes } from "./segment-indexes.js";
import { runsBehindBadBatch } from "./torn-tail.js";
import { verifySnapshots } from "./verify-snapshots.js";

export interface VerifyOptions {
  readonly compute: Compute;
}

export interface Finding {
  /**
   * `damage`: what was durable is not there. `torn`: an interrupted write at the end, which the next start cuts. `hint`: an
   * index or checkpoint that the next start builds again.
   */
  readonly severity: "damage" | "torn" | "hint";
  readonly path: string;
  /** In the file; undefined when it is about all of it. */
  readonly position: number | undefined;
  readonly problem: string;
}

export interface VerifySummary {
  readonly logs: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  readonly findings: number;
}

export type VerifyItem =
  | { readonly kind: "finding"; readonly finding: Finding }
  | { readonly kind: "summary"; readonly summary: VerifySummary };

/** Yields findings as they turn up, and one summary at the end. `path`: a data directory or one partition's. */
export async function* verifyDirectory(
  fileSystem: FileSystem,
  path: string,
  options: VerifyOptions,
): AsyncGenerator<VerifyItem, void, undefined> {
  const totals = { logs: 0, segments: 0, batches: 0, records: 0, bytes: 0, findings: 0 };
  const whole = path.replace(/\/+$/, "");
  const name = whole.slice(whole.lastIndexOf("/") + 1);
  const parent = whole.slice(0, Math.max(0, whole.lastIndexOf("/"))) || ".";
  const isPartition = parsePartitionDirectory(name) !== undefined;
  const root = isPartition ? parent : whole;
  const entries = isPartition ? [] : await fileSystem.readDirectory(whole);
  const names = isPartition
    ? [name]
    : entries
        .filter((entry) => entry.kind === "directory" && parsePartitionDirectory(entry.name))
        .map((entry) => entry.name)
        .sort();
  const overlay = await JournalOverlay.open({ fileSystem, compute: options.compute }, root);
  try {
    for (const { path: file, position } of overlay.damages) {
      totals.findings++;
      const problem = "a frame of the commit journal is damaged";
      yield { kind: "finding", finding: { severity: "damage", path: file, position, problem } };
    }
    yield* verifyLogs({ fileSystem, root, names, overlay, compute: options.compute }, totals);
  } finally {
    await overlay.close();
  }
  yield { kind: "summary", summary: totals };
}

async function* verifyLogs(
  place: {
    readonly fileSystem: FileSystem;
    readonly compute: Compute;
    /** The data directory. */
    readonly root: string;
    readonly names: readonly string[];
    readonly overlay: JournalOverlay;
  },
  totals: { -readonly [Name in keyof VerifySummary]: VerifySummary[Name] },
): AsyncGenerator<VerifyItem, void, undefined> {
  const { fileSystem, root } = place;
  const recoveryPoints = await readOffsets(fileSystem, `${root}/${RECOVERY_POINT_FILE}`);
  const logStartOffsets = await readOffsets(fileSystem, `${root}/${LOG_START_OFFSET_FILE}`);
  for (const partition of place.names) {
    const log = new LogVerifier({ ...place, name: partition });
    for (const finding of await log.verify({
      recoveryPoint: recoveryPoints?.get(partition) ?? 0,
      logStartOffset: logStartOffsets?.get(partition) ?? 0,
    })) {
      totals.findings++;
      yield { kind: "finding", finding };
    }
    totals.logs++;
    totals.segments += log.segments;
    totals.batches += log.batches;
    totals.records += log.records;
    totals.bytes += log.bytes;
  }
}

/** Undefined when the file is missing or damaged. */
async function readOffsets(
  fileSystem: FileSystem,
  path: string,
): Promise<OffsetCheckpoint | undefined> {
  const text = await readTextIfPresent(fileSystem, path);
  return text === undefined ? undefined : decodeOffsetCheckpoint(text);
}

class LogVerifier {
  segments = 0;
  batches = 0;
  records = 0;
  bytes = 0;
  readonly #fileSystem: FileSystem;
  readonly #name: string;
  readonly #directory: string;
  readonly #compute: Compute;
  readonly #overlay: JournalOverlay;
  readonly #findings: Finding[] = [];

  constructor(options: {
    readonly fileSystem: FileSystem;
    readonly compute: Compute;
    readonly root: string;
    readonly name: string;
    readonly overlay: JournalOverlay;
  }) {
    this.#fileSystem = options.fileSystem;
    this.#name = options.name;
    this.#directory = `${options.root}/${options.name}`;
    this.#compute = options.compute;
    this.#overlay = options.overlay;
  }

  async verify(marks: {
    readonly recoveryPoint: number;
    readonly logStartOffset: number;
  }): Promise<readonly Finding[]> {
    const { recoveryPoint, logStartOffset } = marks;
    const names = await this.#fileSystem.readDirectory(this.#directory);
    const swap = names.find(({ name }) => name.endsWith(LOG_SUFFIX + SWAP_SUFFIX));
    if (swap !== undefined) {
      // Half of the old segments may be gone: what would be missing now is there after the next start.
      const path = `${this.#directory}/${swap.name}`;
      const problem =
        "a stop interrupted a compaction; the next start finishes it, and then the log can be verified";
      this.#add({ severity: "hint", path, position: undefined, problem });
      return this.#findings;
    }
    if (isHalfCreated(names)) {
      // Its creation was interrupted before anything was promised: a start passes it over, too.
      return [];
    }
    const epochs = await this.#verifyMetadata();
    await this.#verifySnapshots();
    this.#tellOfJournal();
    const bases = names
      .map(({ name }) => parseSegmentFileName(name))
      .filter((parsed) => parsed?.suffix === LOG_SUFFIX)
      .map((parsed) => parsed?.baseOffset ?? 0)
      .sort((left, right) => left - right);
    for (const [index, base] of bases.entries()) {
      const next = bases[index + 1];
      // What lies wholly before the log start is on its way out: a power cut brings some of it back.
      if (next === undefined || next > logStartOffset) {
        await this.#verifySegment({ base, next, recoveryPoint, epochs });
      }
    }
    return this.#findings;
  }

  async #verifyMetadata(): Promise<LeaderEpochs | undefined> {
    const metadataPath = `${this.#directory}/${PARTITION_METADATA_FILE}`;
    const metadata = await readTextIfPresent(this.#fileSystem, metadataPath);
    if (metadata === undefined || decodePartitionMetadata(metadata) === undefined) {
      this.#add({
        severity: "hint",
        path: metadataPath,
        position: undefined,
        problem: "missing or damaged",
      });
    }
    const epochPath = `${this.#directory}/${EPOCH_CHECKPOINT_FILE}`;
    const text = await readTextIfPresent(this.#fileSystem, epochPath);
    const entries = text === undefined ? undefined : decodeEpochCheckpoint(text);
    if (text !== undefined && entries === undefined) {
      this.#add({ severity: "hint", path: epochPath, position: undefined, problem: "damaged" });
    }
    return entries === undefined ? undefined : new LeaderEpochs(entries);
  }

  async #verifySnapshots(): Promise<void> {
    const runtime = { fileSystem: this.#fileSystem, compute: this.#compute };
    for (const { file, ...rest } of await verifySnapshots(runtime, this.#directory)) {
      this.#add({ ...rest, path: `${this.#directory}/${file}`, position: undefined });
    }
  }

  #tellOfJournal(): void {
    const tail = this.#overlay.tail(this.#name);
    if (tail === undefined) {
      return;
    }
    const { baseOffset, gap, position, sizeBytes } = tail;
    const path = `${this.#directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}`;
    if (sizeBytes > 0) {
      const problem = `${sizeBytes} bytes from here on are in the commit journal; the next start writes them`;
      this.#add({ severity: "hint", path, position, problem });
    }
    if (gap !== undefined) {
      const problem = `bytes up to ${gap.to} are neither here nor in the commit journal`;
      this.#add({ severity: "damage", path, position: gap.from, problem });
    }
  }

  async #verifySegment(options: {
    readonly base: number;
    readonly next: number | undefined;
    readonly recoveryPoint: number;
    readonly epochs: LeaderEpochs | undefined;
  }): Promise<void> {
    const { base, next } = options;
    const path = `${this.#directory}/${segmentFileName(base, LOG_SUFFIX)}`;
    const opened = await this.#fileSystem.open(path, "read");
    const file = this.#overlay.view(this.#name, base, opened);
    try {
      const size = await file.size();
      const sequence = new BatchSequence(base, options.epochs);
      const end = await scanBatches({
        file,
        from: 0,
        to: size,
        verifyCrc: this.#compute,
        sequence,
        visit: ({ header }) => {
          this.batches++;
          this.records += header.recordCount;
          return undefined;
        },
      });
      this.segments++;
      this.bytes += size;
      const isSealed = next !== undefined;
      if (end.problem !== undefined) {
        const { position } = end;
        const expectedOffset = sequence.nextOffset;
        const { epochs } = options;
        const bad = { file, compute: this.#compute, position, size, expectedOffset, epochs };
        const isDamage =
          isSealed ||
          expectedOffset < options.recoveryPoint ||
          (await runsBehindBadBatch(bad)) !== undefined;
        this.#add({
          severity: isDamage ? "damage" : "torn",
          path,
          position: end.position,
          problem: end.problem,
        });
      } else if (sequence.nextOffset < (next ?? options.recoveryPoint)) {
        const problem = `records up to ${next ?? options.recoveryPoint} are missing`;
        this.#add({ severity: "damage", path, position: end.position, problem });
      }
      await this.#verifyIndexes(base, isSealed ? size : undefined);
    } finally {
      await opened.close();
    }
  }

  /** @param sealedBytes undefined for the active segment, whose indexes may lag or be absent */
  async #verifyIndexes(base: number, sealedBytes: number | undefined): Promise<void> {
    const fileSystem = this.#fileSystem;
    const place = {
      fileSystem,
      compute: this.#compute,
      directory: this.#directory,
      baseOffset: base,
    };
    const path = `${this.#directory}/${segmentFileName(base, "")}`;
    const state = await readIndexState(place);
    if (state === undefined && sealedBytes === undefined) {
      return;
    }
    const isRight = sealedBytes === undefined || state?.logBytes === sealedBytes;
    if (!isRight || (await SegmentIndexes.load(place)) === undefined) {
      const problem = "the indexes are missing, damaged or of another segment";
      this.#add({ severity: "hint", path, position: undefined, problem });
    }
  }

  #add(finding: Finding): void {
    this.#findings.push(finding);
  }
}
