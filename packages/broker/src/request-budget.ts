// The bytes of requests without an answer, over all connections (`queued.max.request.bytes`). Decides who may go
// on reading and what is refused. Pure bookkeeping: pausing and resuming sockets is the connections' own.

/** From this share of the bound on, connections that send are paused. */
const PAUSE_SHARE = 0.75;

export class RequestBudget {
  private readonly maxBytes: number;
  private heldBytes = 0;
  /** To be told, once each, when there is room again. */
  private readonly waiting = new Set<() => void>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.heldBytes;
  }

  /** Above it connections should stop reading until `whenRoom` calls back. */
  get isTight(): boolean {
    return this.heldBytes > this.maxBytes * PAUSE_SHARE;
  }

  /** Counts a request that was read. False: beyond the bound, the request must be dropped (and released). */
  take(bytes: number): boolean {
    this.heldBytes += bytes;
    return this.heldBytes <= this.maxBytes;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
    if (this.waiting.size === 0 || this.isTight) {
      return;
    }
    const callbacks = [...this.waiting];
    this.waiting.clear();
    for (const callback of callbacks) {
      callback();
    }
  }

  /** Calls back once when it is no longer tight. The returned function withdraws. */
  whenRoom(callback: () => void): () => void {
    this.waiting.add(callback);
    return () => this.waiting.delete(callback);
  }
}
