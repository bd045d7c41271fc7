// Reads a segment's `.log` file from front to back, batch by batch, in bounded memory. Judges only what must be
// right to find the next batch; CRC and records are the caller's.

import { type BatchHeader, RECORD_BATCH_HEADER_BYTES, readBatchHeader } from "@millrace/protocol";
import type { SizedFile } from "@millrace/storage";

export interface ScannedBatch {
  readonly kind: "batch";
  readonly position: number;
  readonly header: BatchHeader;
  /** The whole batch; valid until the next one is asked for. */
  readonly bytes: Uint8Array;
}

/** Where the scan ended before the end of the file. */
export interface ScanStop {
  readonly kind: "stop";
  readonly position: number;
  /** `torn`: the end of a batch (or of its header) is missing. `unreadable`: no batch can begin like this. */
  readonly reason: "torn" | "unreadable";
  readonly problem: string;
  /** From `position` to the end of the file. */
  readonly bytesLeft: number;
}

const READ_BYTES = 1024 * 1024;
/** Larger than any `max.message.bytes` that makes sense: beyond it a size is a lie, not a batch. */
const BATCH_BYTES_MAX = 256 * 1024 * 1024;

/** A window over a file: what was read last, from `start` on. */
class FileWindow {
  readonly #file: SizedFile;
  #start = 0;
  #bytes = new Uint8Array(0);

  constructor(file: SizedFile) {
    this.#file = file;
  }

  /** Up to `length` bytes from `position`; fewer only at the end of the file. */
  async read(position: number, length: number): Promise<Uint8Array> {
    const offset = position - this.#start;
    if (offset < 0 || offset + length > this.#bytes.length) {
      await this.#fill(position, Math.max(length, READ_BYTES));
    }
    const from = position - this.#start;
    return this.#bytes.subarray(from, from + length);
  }

  async #fill(position: number, length: number): Promise<void> {
    const target = new Uint8Array(length);
    const filled = await this.#file.read(target, position);
    this.#start = position;
    this.#bytes = target.subarray(0, filled);
  }
}

function tryReadHeader(bytes: Uint8Array): BatchHeader | string {
  try {
    return readBatchHeader(bytes, 0);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^CORRUPT_MESSAGE: the record batch at byte 0 /, "the batch ");
  }
}

/** Yields every batch, and at most one stop, last. */
export async function* scanSegment(
  file: SizedFile,
): AsyncGenerator<ScannedBatch | ScanStop, void, undefined> {
  const size = await file.size();
  const window = new FileWindow(file);
  let position = 0;
  while (position < size) {
    const bytesLeft = size - position;
    const stop = (reason: ScanStop["reason"], problem: string): ScanStop => ({
      kind: "stop",
      position,
      reason,
      problem,
      bytesLeft,
    });
    if (bytesLeft < RECORD_BATCH_HEADER_BYTES) {
      yield stop("torn", `${bytesLeft} bytes are too few for a batch header`);
      return;
    }
    const header = tryReadHeader(await window.read(position, RECORD_BATCH_HEADER_BYTES));
    if (typeof header === "string") {
      yield stop("unreadable", header);
      return;
    }
    if (header.sizeBytes > bytesLeft || header.sizeBytes > BATCH_BYTES_MAX) {
      yield stop("torn", `the batch claims ${header.sizeBytes} bytes, ${bytesLeft} are left`);
      return;
    }
    yield { kind: "batch", position, header, bytes: await window.read(position, header.sizeBytes) };
    position += header.sizeBytes;
  }
}
