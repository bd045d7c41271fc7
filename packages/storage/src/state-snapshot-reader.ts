// Reads one snapshot of a state machine. It is verified from end to end before anything of it is handed out (CRCs,
// offsets, epochs, header, footer), and every batch once more when it is: half a state is worse than an old one. A few
// batches at a time are in memory.

import { MillraceError } from "@millrace/protocol";
import type { FileHandle } from "@millrace/runtime";
import { type ScannedBatch, scanBatches } from "./batch-scanner.js";
import {
  type SnapshotId,
  SnapshotSequence,
  snapshotFileName,
} from "./core/state-snapshot-format.js";
import { CHUNK_BYTES } from "./files.js";
import type { StorageRuntime } from "./storage-config.js";

type Scan = Parameters<typeof scanBatches>[0]["visit"];

export interface OpenSnapshotOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute">;
  readonly directory: string;
  readonly id: SnapshotId;
}

export class StateSnapshotReader {
  readonly id: SnapshotId;
  /** Of the last record that the state contains; -1 when there is none. */
  readonly timestampMs: number;
  readonly recordCount: number;
  readonly sizeBytes: number;
  readonly #runtime: OpenSnapshotOptions["runtime"];
  readonly #file: FileHandle;

  private constructor(
    options: OpenSnapshotOptions,
    file: FileHandle,
    verified: { readonly sequence: SnapshotSequence; readonly sizeBytes: number },
  ) {
    this.id = options.id;
    this.timestampMs = verified.sequence.timestampMs;
    this.recordCount = verified.sequence.recordCount;
    this.sizeBytes = verified.sizeBytes;
    this.#runtime = options.runtime;
    this.#file = file;
  }

  /** @throws MillraceError `CORRUPT_MESSAGE` when anything of it is damaged or missing */
  static async open(options: OpenSnapshotOptions): Promise<StateSnapshotReader> {
    const { runtime, directory, id } = options;
    const path = `${directory}/${snapshotFileName(id)}`;
    const { size } = await runtime.fileSystem.status(path);
    const file = await runtime.fileSystem.open(path, "read");
    try {
      const sequence = new SnapshotSequence(id);
      let problem: string | undefined;
      const end = await scan({ runtime, file, from: 0, to: size }, (batch) => {
        problem = sequence.accept(batch.header, bytesOf(batch));
        return problem === undefined;
      });
      problem ??= end.problem ?? sequence.finish();
      if (problem !== undefined) {
        throw new MillraceError("CORRUPT_MESSAGE", `${path} is damaged: ${problem}`);
      }
      return new StateSnapshotReader(options, file, { sequence, sizeBytes: size });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * The batches of records, in order, each in memory of its own.
   * @throws MillraceError `CORRUPT_MESSAGE` when the file has changed since it was opened
   */
  async *batches(): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    while (position < this.sizeBytes) {
      const part: Uint8Array[] = [];
      let bytes = 0;
      const range = {
        runtime: this.#runtime,
        file: this.#file,
        from: position,
        to: this.sizeBytes,
      };
      const end = await scan(range, (batch) => {
        if (bytes > 0 && bytes + batch.header.sizeBytes > CHUNK_BYTES) {
          return false;
        }
        bytes += batch.header.sizeBytes;
        if (!batch.header.isControl) {
          part.push(bytesOf(batch).slice());
        }
        return undefined;
      });
      if (end.problem !== undefined) {
        throw new MillraceError("CORRUPT_MESSAGE", `${this.#file.path}: ${end.problem}`);
      }
      position = end.position;
      yield* part;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function scan(
  range: {
    readonly runtime: OpenSnapshotOptions["runtime"];
    readonly file: FileHandle;
    readonly from: number;
    readonly to: number;
  },
  visit: Scan,
): ReturnType<typeof scanBatches> {
  const { runtime, ...place } = range;
  return await scanBatches({ ...place, verifyCrc: runtime.compute, visit });
}

function bytesOf({ header, window, windowAt }: ScannedBatch): Uint8Array {
  return window.subarray(windowAt, windowAt + header.sizeBytes);
}
