// What all connections of one listener together hold in unfinished messages: the sum has a bound (the oldest
// unfinished message goes first), and each must make progress. Pure: time comes in, connections to cut go out.

/** What is known of one connection. Only this file changes it. */
export interface PartialMessage {
  readonly cut: (reason: string) => void;
  bytes: number;
  messageCount: number;
  /** Data bytes received at the time of the last check. */
  checkedBytes: number;
  checkedMs: number;
  /** This side has stopped reading from it: no progress is not its fault. */
  isPaused: boolean;
}

/** The least average speed of an unfinished message. */
const MIN_BYTES_PER_SECOND = 1;

export class PartialMessages {
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  /** In the order in which the messages began. */
  readonly #unfinished = new Map<PartialMessage, () => number>();
  #totalBytes = 0;

  constructor(limits: { maxPartialBytes: number; partialMessageTimeoutMs: number }) {
    this.#maxBytes = limits.maxPartialBytes;
    this.#timeoutMs = limits.partialMessageTimeoutMs;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  track(cut: (reason: string) => void): PartialMessage {
    return { cut, bytes: 0, messageCount: 0, checkedBytes: 0, checkedMs: 0, isPaused: false };
  }

  /** Notes what a connection holds now; cuts the oldest unfinished messages while all are too much. */
  update(
    partial: PartialMessage,
    now: { bytes: number; messageCount: number; dataBytes: () => number; nowMs: number },
  ): void {
    if (now.bytes === 0) {
      this.forget(partial);
      return;
    }
    if (!this.#unfinished.has(partial) || partial.messageCount !== now.messageCount) {
      this.forget(partial);
      this.#unfinished.set(partial, now.dataBytes);
      partial.messageCount = now.messageCount;
      partial.checkedBytes = now.dataBytes();
      partial.checkedMs = now.nowMs;
    }
    this.#totalBytes += now.bytes - partial.bytes;
    partial.bytes = now.bytes;
    this.#cutOldest();
  }

  /** The connection holds nothing any more. */
  forget(partial: PartialMessage): void {
    this.#unfinished.delete(partial);
    this.#totalBytes -= partial.bytes;
    partial.bytes = 0;
  }

  /** This side stops reading from the connection. */
  pause(partial: PartialMessage): void {
    partial.isPaused = true;
  }

  /** This side reads again: the time for progress starts anew. */
  resume(partial: PartialMessage, nowMs: number): void {
    partial.isPaused = false;
    partial.checkedBytes = this.#unfinished.get(partial)?.() ?? 0;
    partial.checkedMs = nowMs;
  }

  /** Cuts what made too little progress. To be called a few times per timeout. */
  sweep(nowMs: number): void {
    for (const [partial, dataBytes] of [...this.#unfinished]) {
      const elapsedMs = nowMs - partial.checkedMs;
      if (partial.isPaused || elapsedMs < this.#timeoutMs) {
        continue;
      }
      const progress = dataBytes() - partial.checkedBytes;
      if (progress < (elapsedMs / 1_000) * MIN_BYTES_PER_SECOND) {
        this.forget(partial);
        partial.cut(`an unfinished message made no progress for ${this.#timeoutMs} ms`);
      } else {
        partial.checkedBytes += progress;
        partial.checkedMs = nowMs;
      }
    }
  }

  #cutOldest(): void {
    for (const partial of this.#unfinished.keys()) {
      if (this.#totalBytes <= this.#maxBytes) {
        return;
      }
      this.forget(partial);
      partial.cut(`unfinished messages exceed ${this.#maxBytes} bytes; this one is the oldest`);
    }
  }
}
