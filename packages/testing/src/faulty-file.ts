// One open file of a test broker, with the faults in front.

import { FileError, type FileHandle } from "@millrace/runtime";
import type { Faults } from "./faults.js";

export interface FaultyFileOptions {
  readonly faults: Faults;
  /** Throws when the broker's process is gone. */
  check(): void;
  onClose(): void;
}

export class FaultyFile implements FileHandle {
  readonly #inner: FileHandle;
  readonly #options: FaultyFileOptions;

  constructor(inner: FileHandle, options: FaultyFileOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get path(): string {
    return this.#inner.path;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#run(() => this.#inner.read(target, position));
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return this.#run(() => {
      this.#checkRoom();
      return this.#inner.write(chunks, position);
    });
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    this.#options.check();
    this.#checkRoom();
    return this.#inner.writeSync(chunks, position);
  }

  sync(): Promise<void> {
    return this.#run(async () => {
      if (this.#options.faults.takeSyncFailure()) {
        throw new FileError("IO_ERROR", this.path, `${this.path}: the sync failed, as asked for`);
      }
      await this.#inner.sync();
    });
  }

  truncate(size: number): Promise<void> {
    return this.#run(() => this.#inner.truncate(size));
  }

  size(): Promise<number> {
    return this.#run(() => this.#inner.size());
  }

  async close(): Promise<void> {
    this.#options.onClose();
    await this.#inner.close();
  }

  #checkRoom(): void {
    if (this.#options.faults.fullDisk) {
      throw new FileError("STORAGE_FULL", this.path, `${this.path}: no space left, as asked for`);
    }
  }

  async #run<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#options.check();
    const value = await work();
    this.#options.check();
    return value;
  }
}
