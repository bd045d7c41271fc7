// One open file over a raw descriptor. node:fs/promises' FileHandle costs twice as much per call. A write is
// ONE `writev`: its count is the platform's, short counts included (a disk that fills up gives one without an
// error).

import * as fs from "node:fs";
import { FileError, type FileHandle } from "../file-system.js";
import { toFileError } from "./file-errors.js";

type Callback<Value> = (error: Error | null, value: Value) => void;

const totalBytes = (chunks: readonly Uint8Array[]): number => {
  let total = 0;
  for (const chunk of chunks) {
    total += chunk.length;
  }
  return total;
};

export class NodeFile implements FileHandle {
  readonly path: string;
  readonly #descriptor: number;
  #pending = 0;
  #closing: Promise<void> | undefined;
  #whenIdle: () => void = () => {};

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let count = 0;
    // The kernel may return less than asked before the end (a signal, a network file system).
    while (count < target.length) {
      const start = count;
      const more = await this.#run<number>("read", (done) =>
        fs.read(this.#descriptor, target, start, target.length - start, position + start, done),
      );
      if (more === 0) {
        break;
      }
      count += more;
    }
    if (target.length === 0) {
      this.#assertOpen("read");
    }
    return count;
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return this.#run<number>("write", (done) => {
      if (totalBytes(chunks) === 0) {
        done(null, 0);
      } else {
        fs.writev(this.#descriptor, chunks, position, done);
      }
    });
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    this.#assertOpen("write");
    try {
      return totalBytes(chunks) === 0 ? 0 : fs.writevSync(this.#descriptor, chunks, position);
    } catch (error) {
      throw toFileError(error, "write", this.path);
    }
  }

  async sync(): Promise<void> {
    await this.#run<undefined>("sync", (done) =>
      fs.fdatasync(this.#descriptor, (error) => done(error, undefined)),
    );
  }

  async truncate(size: number): Promise<void> {
    await this.#run<undefined>("truncate", (done) =>
      fs.ftruncate(this.#descriptor, size, (error) => done(error, undefined)),
    );
  }

  async size(): Promise<number> {
    const status = await this.#run<fs.Stats>("stat", (done) => fs.fstat(this.#descriptor, done));
    return status.size;
  }

  /**
   * Waits for operations under way: the kernel gives a closed number to the next file that is opened, and a
   * late write would land there.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    return this.#closing;
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await new Promise<void>((resolve, reject) => {
      fs.close(this.#descriptor, (error) =>
        error ? reject(toFileError(error, "close", this.path)) : resolve(),
      );
    });
  }

  #assertOpen(operation: string): void {
    if (this.#closing !== undefined) {
      const message = `cannot ${operation} ${this.path}: the file is closed`;
      throw new FileError("IO_ERROR", this.path, message);
    }
  }

  #run<Value>(operation: string, start: (done: Callback<Value>) => void): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#assertOpen(operation);
      this.#pending += 1;
      start((error, value) => {
        this.#pending -= 1;
        if (error) {
          reject(toFileError(error, operation, this.path));
        } else {
          resolve(value);
        }
        if (this.#pending === 0) {
          this.#whenIdle();
        }
      });
    });
  }
}
