// Work on bytes that a platform may do faster, or on another thread: checksums and compression.

/** Kafka's codec numbers (attributes bits 0-2 of a RecordBatch). */
export type CompressionCodec = "none" | "gzip" | "snappy" | "lz4" | "zstd";

export class ComputeError extends Error {
  override readonly name = "ComputeError";
  /** `TOO_LARGE`: the output would exceed the given bound. `MALFORMED`: not valid input for the codec. */
  readonly code: "UNSUPPORTED_CODEC" | "MALFORMED" | "TOO_LARGE";

  constructor(code: ComputeError["code"], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface Compute {
  /** CRC-32C (Castagnoli, RFC 3720 appendix B.4) as an unsigned 32-bit number. `seed` continues an earlier one (default 0). */
  crc32c(bytes: Uint8Array, seed?: number): number;
  /** The codecs this platform can both compress and decompress; "none" always. It may decompress more. */
  readonly codecs: readonly CompressionCodec[];
  /**
   * `level` is gzip's, 1 to 9, or zstd's, 1 to 22; the other codecs have none, and a browser's gzip ignores it.
   * @throws ComputeError `UNSUPPORTED_CODEC`
   */
  compress(codec: CompressionCodec, bytes: Uint8Array, level?: number): Promise<Uint8Array>;
  /**
   * Stops as soon as the output exceeds `maxBytes` (a small input may expand a thousandfold).
   * @throws ComputeError
   */
  decompress(codec: CompressionCodec, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
}
