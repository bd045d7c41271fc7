// The bytes of answers that clients have not taken, over all connections (`queued.max.response.bytes`): what fetches
// read and what lies in sockets. Near the bound a fetch gets one batch, and a connection one answer at a time, so that
// everybody who reads gets on and clients that do not read cannot fill the memory. Pure bookkeeping.

/** Less than this in one socket is not counted: it may never say that it drained. */
export const COUNTED_FROM_BYTES = 128 * 1024;

export class ResponseBudget {
  private readonly maxBytes: number;
  private heldBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.heldBytes;
  }

  /** How much more may be read for answers. */
  get roomBytes(): number {
    return Math.max(0, this.maxBytes - this.heldBytes);
  }

  /** Some are held, or (negative) no longer. */
  count(bytes: number): void {
    this.heldBytes += bytes;
  }
}
