// The marks of one log, all exclusive upper bounds:
//
//   landed <= synced <= flushed <= written <= end      start <= end
//
// `end` is where the next batch goes, `written` what the file holds, `synced` what `fdatasync` covered, in the file
// or in the commit journal, `landed` what it covered in the file itself (the recovery point), `flushed` what may be
// acknowledged: `synced`, or `written` with `flush=os`. Every change asserts it all.

import { assertInvariant } from "./invariant.js";

export class OffsetMarks {
  #start: number;
  #landed: number;
  #synced: number;
  #flushed: number;
  #written: number;
  #end: number;

  /** A log that holds [start, end), all of it durable. */
  constructor(start: number, end: number) {
    this.#start = start;
    this.#landed = end;
    this.#synced = end;
    this.#flushed = end;
    this.#written = end;
    this.#end = end;
    this.#assert();
  }

  get start(): number {
    return this.#start;
  }

  get landed(): number {
    return this.#landed;
  }

  get synced(): number {
    return this.#synced;
  }

  get flushed(): number {
    return this.#flushed;
  }

  get written(): number {
    return this.#written;
  }

  get end(): number {
    return this.#end;
  }

  appended(end: number): void {
    assertInvariant(end > this.#end, "an append moves the log end forward", {
      end,
      was: this.#end,
    });
    this.#end = end;
    this.#assert();
  }

  wrote(written: number): void {
    assertInvariant(written >= this.#written, "a write moves forward", {
      written,
      was: this.#written,
    });
    this.#written = written;
    this.#assert();
  }

  /** A sync of the log's file that was issued when `synced` was written has succeeded. */
  syncedTo(synced: number): void {
    this.#landed = Math.max(this.#landed, synced);
    this.journaledTo(synced);
  }

  /** All that was not synced before, up to `synced`, is durable in the commit journal. */
  journaledTo(synced: number): void {
    this.#synced = Math.max(this.#synced, synced);
    this.#flushed = Math.max(this.#flushed, this.#synced);
    this.#assert();
  }

  /** With `flush=os` all that is written counts as flushed. */
  countWrittenAsFlushed(): void {
    this.#flushed = this.#written;
    this.#assert();
  }

  /** Takes back all that was appended but not written. */
  discardUnwritten(): void {
    this.#end = this.#written;
    this.#assert();
  }

  /** `landed`: the end of a batch, which the recovery point must be, where `end` is none. */
  truncated(end: number, landed = end): void {
    assertInvariant(end <= this.#end, "a truncation moves the log end back", {
      end,
      was: this.#end,
    });
    this.#end = end;
    this.#written = Math.min(this.#written, end);
    this.#flushed = Math.min(this.#flushed, end);
    this.#synced = Math.min(this.#synced, end);
    this.#landed = Math.min(this.#landed, landed);
    this.#start = Math.min(this.#start, end);
    this.#assert();
  }

  /**
   * The log is empty and begins at `offset` from now on. What is synced does not move forward: only a file at `offset`
   * that is there for good may do that (`syncedTo`).
   */
  startedAgain(offset: number): void {
    this.#start = offset;
    this.#end = offset;
    this.#written = offset;
    this.#flushed = offset;
    this.#synced = Math.min(this.#synced, offset);
    this.#landed = Math.min(this.#landed, offset);
    this.#assert();
  }

  startMoved(start: number): void {
    assertInvariant(start >= this.#start, "the log start moves forward", {
      start,
      was: this.#start,
    });
    this.#start = start;
    this.#assert();
  }

  #assert(): void {
    const inOrder =
      this.#start >= 0 &&
      this.#landed <= this.#synced &&
      this.#synced <= this.#flushed &&
      this.#flushed <= this.#written &&
      this.#written <= this.#end &&
      this.#start <= this.#end;
    assertInvariant(inOrder, "landed <= synced <= flushed <= written <= end", {
      start: this.#start,
      landed: this.#landed,
      synced: this.#synced,
      flushed: this.#flushed,
      written: this.#written,
      end: this.#end,
    });
  }
}
