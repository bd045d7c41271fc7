// One WebSocket of a browser as a Connection. A browser tells nothing of its buffers but `bufferedAmount`, so
// drains are found by polling, only while something is buffered; and it cannot stop reading.

import type { Clock, Timer } from "../clock.js";
import { closeReasonText } from "../close-reason.js";
import type { Connection, ConnectionEvents } from "../network.js";
import { OPEN, type WebSocketLike } from "./web-socket-like.js";

/** `onDrain` means: more than this was buffered, and no longer is. */
const LOW_MARK_BYTES = 64 * 1024;
const POLL_MS = 10;
const UNSUPPORTED_DATA = 1_003;
const MESSAGE_TOO_BIG = 1_009;

/** Scripts may send 1000 and 3000 to 4999; the codes of the protocol become 4000 and more (1009: 4009). */
const sendableCode = (code: number): number =>
  code === 1_000 || (code >= 3_000 && code < 5_000) ? code : 4_000 + (code % 1_000);

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) {
    return first;
  }
  const message = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    message.set(chunk, position);
    position += chunk.length;
  }
  return message;
}

export interface BrowserConnectionOptions {
  readonly webSocket: WebSocketLike;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
}

export class BrowserConnection implements Connection {
  readonly remoteAddress = "unknown";
  readonly #webSocket: WebSocketLike;
  readonly #clock: Clock;
  readonly #maxMessageBytes: number;
  #events: ConnectionEvents | undefined;
  #error: Error | undefined;
  #isOpen = true;
  #isTerminated = false;
  #poll: Timer | undefined;

  constructor(options: BrowserConnectionOptions) {
    this.#webSocket = options.webSocket;
    this.#clock = options.clock;
    this.#maxMessageBytes = options.maxMessageBytes;
  }

  /** Starts delivering to `events`. Called once, before any message can arrive. */
  attach(events: ConnectionEvents): void {
    this.#events = events;
    this.#webSocket.onmessage = ({ data }) => this.#onMessage(data);
    this.#webSocket.onerror = () => {
      this.#error ??= new Error("the WebSocket failed; browsers do not tell why");
    };
    this.#webSocket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#webSocket.readyState === OPEN;
  }

  get bufferedBytes(): number {
    return this.#events === undefined ? 0 : this.#webSocket.bufferedAmount;
  }

  send(chunks: readonly Uint8Array[], onLeft?: () => void): void {
    if (!this.isOpen) {
      onLeft?.();
      return;
    }
    // The platform copies.
    this.#webSocket.send(joined(chunks));
    onLeft?.();
    if (this.#poll === undefined && this.#webSocket.bufferedAmount > LOW_MARK_BYTES) {
      this.#pollBuffer();
    }
  }

  /** No effect: a browser reads as fast as it can. */
  pauseReading(): void {}

  resumeReading(): void {}

  close(code = 1_000, reason = ""): void {
    if (this.isOpen) {
      this.#isOpen = false;
      this.#webSocket.close(sendableCode(code), closeReasonText(reason));
    }
  }

  /** A browser cannot cut: it closes, and what still arrives is dropped. */
  terminate(): void {
    this.#isTerminated = true;
    this.#isOpen = false;
    this.#webSocket.close();
  }

  #pollBuffer(): void {
    this.#poll = this.#clock.setTimer(POLL_MS, () => {
      this.#poll = undefined;
      if (this.#webSocket.bufferedAmount > LOW_MARK_BYTES) {
        this.#pollBuffer();
      } else {
        this.#deliver((events) => events.onDrain?.());
      }
    });
  }

  #onMessage(data: unknown): void {
    if (!this.#isOpen) {
      return;
    }
    if (!(data instanceof ArrayBuffer)) {
      this.close(UNSUPPORTED_DATA, "messages are binary");
    } else if (data.byteLength > this.#maxMessageBytes) {
      this.close(MESSAGE_TOO_BIG, `a message exceeds ${this.#maxMessageBytes} bytes`);
    } else {
      this.#deliver((events) => events.onMessage(new Uint8Array(data)));
    }
  }

  #onClose(code: number, reason: string): void {
    const events = this.#events;
    if (events === undefined) {
      return;
    }
    this.#isOpen = false;
    this.#poll?.cancel();
    const closeReason = { code: this.#isTerminated ? 1_006 : code, reason };
    const error = this.#error;
    this.#deliver(() =>
      events.onClose(error === undefined ? closeReason : { ...closeReason, error }),
    );
    this.#events = undefined;
  }

  /** A handler that throws costs its own connection and nothing else. */
  #deliver(call: (events: ConnectionEvents) => void): void {
    if (this.#events === undefined) {
      return;
    }
    try {
      call(this.#events);
    } catch (error) {
      this.#error ??= error instanceof Error ? error : new Error(String(error));
      this.terminate();
    }
  }
}
