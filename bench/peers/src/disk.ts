// The disk by itself: plain appends to a file that grows, each followed by `fdatasync`, in the folder that is measured.

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { round } from "./statistics.js";
import { Samples } from "./worker/closed-loop.js";
import { pause } from "./worker/pause.js";

const MIB = 1024 * 1024;
/** What a small append is in all baselines. */
export const SMALL_APPEND_BYTES = 1024;

export class RawFile implements Disposable {
  readonly #path: string;
  readonly #file: number;
  readonly #block: Uint8Array;

  constructor(directory: string, blockBytes: number) {
    this.#path = join(directory, `disk-baseline-${process.pid}`);
    this.#file = openSync(this.#path, "w");
    this.#block = new Uint8Array(blockBytes).map((_, index) => (index * 31) & 0xff);
  }

  /** @returns milliseconds */
  appendAndSync(): number {
    const before = performance.now();
    writeSync(this.#file, this.#block, 0, this.#block.length, null);
    fdatasyncSync(this.#file);
    return performance.now() - before;
  }

  /** Back to back; nothing else of this process runs meanwhile. */
  backToBack(samples: Samples, seconds: number): void {
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      samples.add(this.appendAndSync());
    }
  }

  /** With a pause after each: a disk that rests in between may take longer, or less long. */
  async paced(samples: Samples, seconds: number, pauseMs: number): Promise<void> {
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      samples.add(this.appendAndSync());
      await pause(pauseMs);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }
}

/** 10^6 bytes a second of 1 MiB appends. */
export function diskMegabytesPerSecond(directory: string, seconds: number): number {
  using file = new RawFile(directory, MIB);
  const samples = new Samples();
  file.backToBack(samples, seconds);
  const elapsedMs = samples.values.reduce((sum, value) => sum + value, 0);
  return round((samples.values.length * MIB) / 1e6 / (elapsedMs / 1000), 1);
}
