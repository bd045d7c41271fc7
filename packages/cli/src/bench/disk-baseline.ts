// What the disk can do by itself, measured in slices between the load: one file in the broker's own directory,
// appended and synced with plain calls. The load rests meanwhile, so that a slice sees the whole disk. The file grows
// from slice to slice as a log does: cut back, it would get its warm pages of the page cache again, and the log not.

import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LatencyRecorder } from "./latency-recorder.js";

const MIB = 1024 * 1024;
/** From this size on a slice starts the file anew, so that a fast disk is not filled. */
const FILE_BYTES_MAX = 8 * 1024 * MIB;

export class DiskBaseline {
  readonly #path: string;
  readonly #file: number;
  #sizeBytes = 0;

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  /** Creates the file in `directory`. Close removes it. */
  static open(directory: string): DiskBaseline {
    const path = join(directory, `millrace-disk-baseline-${process.pid}`);
    return new DiskBaseline(path, openSync(path, "w"));
  }

  /**
   * 1 MiB appends, each followed by `fdatasync`, for `sliceMs` or more.
   * @returns megabytes (10^6 bytes) per second
   */
  async throughputSlice(sliceMs: number): Promise<number> {
    const block = new Uint8Array(MIB).fill(0x5a);
    this.#startAnewWhenLarge();
    const start = performance.now();
    let written = 0;
    let elapsedMs = 0;
    do {
      this.#append(block);
      written += MIB;
      elapsedMs = performance.now() - start;
      // Connections stay alive, Ctrl-C is heard.
      await nextTurn();
    } while (elapsedMs < sliceMs);
    return written / 1e6 / (elapsedMs / 1000);
  }

  /** Appends of `bytes`, each followed by `fdatasync`; the time of each append and sync goes to `recorder`. */
  async syncSlice(sliceMs: number, bytes: number, recorder: LatencyRecorder): Promise<void> {
    const block = new Uint8Array(bytes).fill(0x5a);
    this.#startAnewWhenLarge();
    const end = performance.now() + sliceMs;
    for (let before = performance.now(); before < end; before = performance.now()) {
      this.#append(block);
      recorder.record(performance.now() - before);
      await nextTurn();
    }
  }

  close(): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  #append(block: Uint8Array): void {
    writeSync(this.#file, block, 0, block.length, this.#sizeBytes);
    fdatasyncSync(this.#file);
    this.#sizeBytes += block.length;
  }

  #startAnewWhenLarge(): void {
    if (this.#sizeBytes >= FILE_BYTES_MAX) {
      ftruncateSync(this.#file, 0);
      this.#sizeBytes = 0;
    }
  }
}
