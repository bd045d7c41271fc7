// `log verify`: reads every byte of every partition below a directory and reports what is not in order: batches, indexes,
// snapshots. What the commit journal holds after a crash counts as written. Reads only; safe beside a running broker,
// whose newest batch may then look torn.

import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Compute, FileHandle, FileSystem } from "@millrace/runtime";
import { type JournalOverlay, verifySnapshots } from "@millrace/storage";
import { systemErrorCode } from "../cli-error.js";
import { type Continuity, checkContent, checkContinuity } from "./batch-check.js";
import type { Findings } from "./finding.js";
import { checkTimeIndex, type IndexProblem, OffsetIndexCheck } from "./index-check.js";
import {
  baseOffsetOfFile,
  OFFSET_ENTRY_BYTES,
  readOffsetIndex,
  readTimeIndex,
  TIME_ENTRY_BYTES,
} from "./index-file.js";
import { type ScannedBatch, type ScanStop, scanSegment } from "./segment-scan.js";

export interface PartitionReport {
  /** The directory, relative to the one that was verified. */
  readonly directory: string;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly sizeBytes: number;
  /** -1: empty. */
  readonly firstOffset: number;
  readonly lastOffset: number;
}

export interface VerifyOptions {
  readonly compute: Compute;
  readonly fileSystem: FileSystem;
  /** Of the data directory. */
  readonly journal: JournalOverlay;
  readonly signal: AbortSignal;
  readonly findings: Findings;
  /** Bytes of `.log` files read so far. */
  readonly onProgress: (bytes: number) => void;
}

export interface LogDirectory {
  readonly path: string;
  /** Base offsets of its segments, ascending. */
  readonly segments: readonly number[];
  readonly sizeBytes: number;
}

const fileName = (baseOffset: number, suffix: string): string =>
  `${String(baseOffset).padStart(20, "0")}.${suffix}`;

/** Directories that hold segments: the given one itself, or its children. Sorted by name. */
export async function findLogDirectories(root: string): Promise<LogDirectory[]> {
  const found: LogDirectory[] = [];
  const own = await readLogDirectory(root);
  if (own !== undefined) {
    return [own];
  }
  const entries = await readdir(root, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  for (const name of names.sort()) {
    const directory = await readLogDirectory(join(root, name));
    if (directory !== undefined) {
      found.push(directory);
    }
  }
  return found;
}

async function readLogDirectory(path: string): Promise<LogDirectory | undefined> {
  const names = (await readdir(path)).filter((name) => name.endsWith(".log"));
  const segments = names.map(baseOffsetOfFile).filter((offset) => offset !== undefined);
  if (segments.length === 0) {
    return undefined;
  }
  let sizeBytes = 0;
  for (const segment of segments) {
    sizeBytes += (await stat(join(path, fileName(segment, "log")))).size;
  }
  return { path, segments: segments.sort((a, b) => a - b), sizeBytes };
}

/** Verifies one partition: batches, their order across segments, and both indexes of each segment. */
export class PartitionVerifier {
  readonly #root: string;
  readonly #directory: LogDirectory;
  readonly #options: VerifyOptions;
  readonly #continuity: Continuity = { nextOffset: -1, leaderEpoch: -1 };
  #batches = 0;
  #records = 0;
  #firstOffset = -1;
  #lastOffset = -1;
  #maxTimestamp = -1;

  constructor(root: string, directory: LogDirectory, options: VerifyOptions) {
    this.#root = root;
    this.#directory = directory;
    this.#options = options;
  }

  async run(): Promise<PartitionReport> {
    this.#journal();
    await this.#snapshots();
    for (const baseOffset of this.#directory.segments) {
      await this.#segment(baseOffset);
    }
    return {
      directory: relative(this.#root, this.#directory.path) || basename(this.#directory.path),
      segments: this.#directory.segments.length,
      batches: this.#batches,
      records: this.#records,
      sizeBytes: this.#directory.sizeBytes,
      firstOffset: this.#firstOffset,
      lastOffset: this.#lastOffset,
    };
  }

  /** What of it is not in the log's own file yet. */
  #journal(): void {
    const tail = this.#options.journal.tail(this.#name);
    if (tail === undefined) {
      return;
    }
    const { baseOffset, gap, position, sizeBytes } = tail;
    const name = fileName(baseOffset, "log");
    if (sizeBytes > 0) {
      const problem = `${sizeBytes} bytes from here on are in the commit journal: the broker writes them at its next start`;
      this.#add({ severity: "warning", name, position, offset: undefined, problem });
    }
    if (gap !== undefined) {
      const problem = `the bytes up to ${gap.to} are neither here nor in the commit journal`;
      this.#add({ severity: "damage", name, position: gap.from, offset: undefined, problem });
    }
  }

  async #snapshots(): Promise<void> {
    for (const found of await verifySnapshots(this.#options, this.#directory.path)) {
      const severity = found.severity === "damage" ? "damage" : "warning";
      const problem =
        severity === "damage" ? found.problem : `${found.problem}: the broker does without it`;
      this.#add({ severity, name: found.file, position: 0, offset: undefined, problem });
    }
  }

  get #name(): string {
    return basename(this.#directory.path);
  }

  async #segment(baseOffset: number): Promise<void> {
    const offsetIndex = new OffsetIndexCheck(
      readOffsetIndex(await this.#index(baseOffset, "index", OFFSET_ENTRY_BYTES), baseOffset),
    );
    const isLast = baseOffset === this.#directory.segments.at(-1);
    const name = fileName(baseOffset, "log");
    let file: FileHandle | undefined;
    this.#maxTimestamp = -1;
    try {
      file = await this.#options.fileSystem.open(join(this.#directory.path, name), "read");
      const whole = this.#options.journal.view(this.#name, baseOffset, file);
      for await (const item of scanSegment(whole)) {
        this.#options.signal.throwIfAborted();
        if (item.kind === "stop") {
          this.#stopped(name, item, isLast);
        } else {
          await this.#batch(name, item, baseOffset);
          this.#indexProblems(baseOffset, "index", offsetIndex.batch(item.position, item.header));
        }
      }
    } finally {
      await file?.close();
    }
    this.#indexProblems(baseOffset, "index", offsetIndex.end());
    const times = await this.#index(baseOffset, "timeindex", TIME_ENTRY_BYTES);
    this.#indexProblems(
      baseOffset,
      "timeindex",
      checkTimeIndex(readTimeIndex(times, baseOffset), {
        lastOffset: this.#lastOffset,
        maxTimestamp: this.#maxTimestamp,
      }),
    );
  }

  async #batch(name: string, batch: ScannedBatch, baseOffset: number): Promise<void> {
    const { header, position } = batch;
    const report = (severity: "damage" | "warning", problem: string): void =>
      this.#add({ severity, name, position, offset: header.baseOffset, problem });
    if (header.baseOffset < baseOffset) {
      report("damage", `offset ${header.baseOffset} is below the segment's first, ${baseOffset}`);
    }
    const content = await checkContent(batch.bytes, this.#options.compute);
    if (content !== undefined) {
      report("damage", content);
    }
    const order = checkContinuity(header, this.#continuity);
    if (order !== undefined) {
      report(order.severity, order.problem);
    }
    this.#batches += 1;
    this.#records += header.recordCount;
    this.#firstOffset = this.#firstOffset < 0 ? header.baseOffset : this.#firstOffset;
    this.#lastOffset = Math.max(this.#lastOffset, header.lastOffset);
    this.#maxTimestamp = Math.max(this.#maxTimestamp, header.maxTimestamp);
    this.#options.onProgress(header.sizeBytes);
  }

  #stopped(name: string, stop: ScanStop, isLast: boolean): void {
    const isTornTail = isLast && stop.reason === "torn";
    const { position, bytesLeft } = stop;
    this.#add({
      severity: isTornTail ? "warning" : "damage",
      name,
      position,
      offset: this.#continuity.nextOffset < 0 ? undefined : this.#continuity.nextOffset,
      problem: isTornTail
        ? `${stop.problem}: a write was interrupted; the broker cuts it at its next start`
        : `${stop.problem}; the ${bytesLeft} bytes from here on cannot be read`,
    });
    this.#options.onProgress(bytesLeft);
  }

  async #index(baseOffset: number, suffix: string, entryBytes: number): Promise<Uint8Array> {
    const name = fileName(baseOffset, suffix);
    try {
      const bytes = await readFile(join(this.#directory.path, name));
      const rest = bytes.length % entryBytes;
      if (rest !== 0) {
        const problem = `ends with ${rest} bytes of a half entry: the broker writes it again`;
        const position = bytes.length - rest;
        this.#add({ severity: "warning", name, position, offset: undefined, problem });
      }
      return bytes;
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") {
        throw error;
      }
      // An empty segment has nothing to index.
      if ((await stat(join(this.#directory.path, fileName(baseOffset, "log")))).size > 0) {
        const problem = "the index is missing: the broker builds it again";
        this.#add({ severity: "warning", name, position: 0, offset: undefined, problem });
      }
      return new Uint8Array(0);
    }
  }

  #indexProblems(
    baseOffset: number,
    suffix: "index" | "timeindex",
    problems: readonly IndexProblem[],
  ): void {
    const entryBytes = suffix === "index" ? OFFSET_ENTRY_BYTES : TIME_ENTRY_BYTES;
    for (const { entry, offset, problem } of problems) {
      this.#add({
        severity: "damage",
        name: fileName(baseOffset, suffix),
        position: entry * entryBytes,
        offset,
        problem: `entry ${entry} ${problem}; with the broker stopped the index can be deleted, it is built again`,
      });
    }
  }

  #add(finding: {
    severity: "damage" | "warning";
    name: string;
    position: number;
    offset: number | undefined;
    problem: string;
  }): void {
    const { name, ...rest } = finding;
    const path = join(this.#directory.path, name);
    this.#options.findings.add({ ...rest, file: relative(this.#root, path) });
  }
}
