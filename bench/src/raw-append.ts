// What the disk takes for one small append by itself: a plain write and `fdatasync` to a file that grows, in the
// directory that is measured. Blocks the process meanwhile, so that nothing else is in the figure.

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Latencies } from "./latencies.js";

export interface RawLatencies {
  readonly appendAndSync: Latencies;
  readonly sync: Latencies;
}

export class RawAppend implements Disposable {
  readonly #path: string;
  readonly #file: number;
  readonly #block: Uint8Array;
  #at = 0;

  constructor(directory: string, bytes: number) {
    this.#path = join(directory, `raw-append-${process.pid}`);
    this.#file = openSync(this.#path, "w");
    this.#block = new Uint8Array(bytes).fill(0x5a);
  }

  once({ appendAndSync, sync }: RawLatencies): void {
    const started = performance.now();
    writeSync(this.#file, this.#block, 0, this.#block.length, this.#at);
    const written = performance.now();
    fdatasyncSync(this.#file);
    const synced = performance.now();
    this.#at += this.#block.length;
    appendAndSync.add(synced - started);
    sync.add(synced - written);
  }

  /** One after the other, `pauseMs` apart: a disk that is let rest takes longer. */
  async slice(latencies: RawLatencies, sliceMs: number, pauseMs = 0): Promise<void> {
    for (const end = performance.now() + sliceMs; performance.now() < end; ) {
      this.once(latencies);
      await (pauseMs > 0 ? sleep(pauseMs) : nextTurn());
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }
}
