// A look into compressed batches before they are appended: a compacted topic takes no record without a key, and only the
// records say whether they have one. One batch at a time for the whole broker, in the order they came, so that what
// hostile batches expand to is never in memory twice.

import { type BatchHeader, readBatch, validateDecompressed } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";

/** A batch may not expand to more. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;

export class CompressedContents {
  private readonly compute: Compute;
  private last: Promise<unknown> = Promise.resolve();

  constructor(compute: Compute) {
    this.compute = compute;
  }

  /**
   * Resolves when every record of the batch is in order and has a key.
   * @throws ProtocolError `INVALID_RECORD`, `INVALID_TIMESTAMP`, `CORRUPT_MESSAGE`
   */
  check(
    batch: Uint8Array,
    header: BatchHeader,
    limits: { readonly maxMessageBytes: number; readonly minTimestampMs?: number },
  ): Promise<void> {
    const result = this.last.then(async () => {
      const options = { compute: this.compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
      const { payload } = await readBatch(batch, 0, options);
      validateDecompressed(header, payload, { ...limits, requireKeys: true });
    });
    this.last = result.catch(() => undefined);
    return result;
  }
}
