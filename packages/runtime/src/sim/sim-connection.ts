// One end of a simulated connection: the WebSocket's states on top of two pipes.

import type { AcceptedConnection, CloseReason, Connection, ConnectionEvents } from "../network.js";
import { createTextDecoder, createTextEncoder } from "../platform.js";
import type { Pipe, Segment } from "./pipe.js";
import type { SimProcess } from "./sim-process.js";
import { noteHandlerError, type World } from "./world.js";

/** `onDrain` fires when the buffer falls from above to below this. */
const lowMarkBytes = 64 * 1024;
/** A peer that does not answer a close gets so long, as with `ws`. */
const closeTimeoutMs = 30_000;
/** RFC 6455, section 5.5: a control frame holds 125 bytes, 2 of them the code. */
const maxReasonBytes = 123;
/** What a message is overwritten with that was given back. */
const SPOILED = 0xdb;

/** Cut at a character's boundary. */
function cutReason(reason: string): string {
  const bytes = createTextEncoder().encode(reason);
  if (bytes.length <= maxReasonBytes) {
    return reason;
  }
  let end = maxReasonBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) {
    end--;
  }
  return createTextDecoder().decode(bytes.subarray(0, end));
}

export interface SimConnectionOptions {
  readonly world: World;
  readonly process: SimProcess;
  readonly remoteAddress: string;
  readonly maxMessageBytes: number;
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  /** Lends messages, as the listener's end does in Node: they are overwritten as soon as they are given back. */
  readonly lends?: boolean | undefined;
}

/** What the dialing end waits for. */
export interface DialOutcome {
  /** The handlers; undefined when nobody wants the connection any more. */
  accepted(): ConnectionEvents | undefined;
  rejected(status: number, reason: string): void;
  broken(): void;
}

export class SimConnection implements Connection, AcceptedConnection {
  readonly remoteAddress: string;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  readonly process: SimProcess;
  readonly #world: World;
  readonly #lends: boolean;
  #maxMessageBytes: number;
  #out: Pipe | undefined;
  #in: Pipe | undefined;
  #handlers: ConnectionEvents | undefined;
  #dial: DialOutcome | undefined;
  #state: "dialing" | "open" | "closing" | "closed" = "dialing";
  #wasAboveLowMark = false;
  #isPaused = false;
  #isReading = false;
  #unread: Segment[] = [];
  readonly #closeListeners: (() => void)[] = [];

  constructor(options: SimConnectionOptions) {
    this.#world = options.world;
    this.process = options.process;
    this.remoteAddress = options.remoteAddress;
    this.#lends = options.lends ?? false;
    this.origin = options.origin;
    this.host = options.host;
    this.#maxMessageBytes = options.maxMessageBytes;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get bufferedBytes(): number {
    return this.#out?.bufferedBytes ?? 0;
  }

  /** @internal */
  connect(pipes: { out: Pipe; in: Pipe }): void {
    this.#out = pipes.out;
    this.#in = pipes.in;
  }

  /** @internal The dialing end waits. */
  awaitAnswer(dial: DialOutcome): void {
    this.#dial = dial;
  }

  /** @internal Opens this end; `attach` may use the connection at once. */
  open(attach: (connection: SimConnection) => ConnectionEvents): void {
    this.#state = "open";
    try {
      this.#handlers = attach(this);
    } catch (error) {
      noteHandlerError(this.#world, error);
      this.terminate();
    }
  }

  /** @internal It never opened: nobody is told. */
  abandon(): void {
    this.#state = "closed";
    this.#announceClosed();
  }

  /** @internal Called once, when this end is closed, after its handler. */
  onClosed(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  setMaxMessageBytes(bytes: number): void {
    this.#maxMessageBytes = bytes;
  }

  send(chunks: readonly Uint8Array[], onLeft?: () => void): void {
    if (this.#state === "open" && this.process.isAlive && this.#out !== undefined) {
      this.#out.send(chunks, onLeft);
      this.#wasAboveLowMark ||= this.bufferedBytes > lowMarkBytes;
    } else {
      onLeft?.();
    }
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#readLater();
  }

  close(code = 1000, reason = ""): void {
    if (this.#state !== "open" || !this.process.isAlive) {
      return;
    }
    this.#state = "closing";
    this.#out?.push({ kind: "close", code, reason: cutReason(reason) });
    this.#world.scheduler.schedule({
      delayMs: closeTimeoutMs,
      kind: "net.closeTimeout",
      owner: this.process,
      isBackground: true,
      run: () => this.terminate(),
    });
  }

  terminate(): void {
    if (this.#state === "closed" || !this.process.isAlive) {
      return;
    }
    this.#out?.cut({ losesTravelling: false, isSilent: false });
    this.#finish({ code: 1006, reason: "" });
  }

  /** @internal Both ends lose the connection; nobody closed it. */
  break(problem: string): void {
    this.#out?.cut({ losesTravelling: true, isSilent: false });
    this.#finish({ code: 1006, reason: "", error: new Error(problem) });
  }

  /** @internal Bytes left: perhaps a drain. */
  onLeft(): void {
    if (this.#wasAboveLowMark && this.bufferedBytes <= lowMarkBytes && this.#state !== "closed") {
      this.#wasAboveLowMark = false;
      this.#guard(() => this.#handlers?.onDrain?.());
    }
  }

  /** @internal */
  onArrival(segment: Segment): void {
    if (this.#state === "closed") {
      return;
    }
    if (segment.kind === "reset") {
      this.#onReset();
    } else if (this.#isPaused || this.#unread.length > 0) {
      this.#unread.push(segment);
    } else {
      this.#take(segment);
    }
  }

  #onReset(): void {
    if (this.#state === "dialing") {
      this.abandon();
      this.#dial?.broken();
      return;
    }
    this.#out?.cut({ losesTravelling: true, isSilent: true });
    this.#finish({ code: 1006, reason: "", error: new Error("connection reset by peer") });
  }

  #take(segment: Segment): void {
    switch (segment.kind) {
      case "accepted":
        this.#onAccepted();
        break;
      case "rejected":
        this.abandon();
        this.#dial?.rejected(segment.status, segment.reason);
        break;
      case "message":
        this.#onMessage(segment.bytes);
        break;
      case "close":
        this.#onClose(segment.code, segment.reason);
        break;
      case "reset":
        this.#onReset();
        break;
    }
  }

  #onAccepted(): void {
    this.#state = "open";
    const handlers = this.#dial?.accepted();
    if (handlers === undefined) {
      // Nobody waits any more: the dial timed out or was aborted, or `attach` threw.
      this.terminate();
    } else {
      this.#handlers = handlers;
    }
  }

  #onMessage(bytes: Uint8Array): void {
    this.#in?.consume(bytes.length);
    if (bytes.length > this.#maxMessageBytes) {
      if (this.#state === "open") {
        this.close(1009, "message too large");
        this.#finish({ code: 1009, reason: "", error: new Error("message too large") });
      }
      return;
    }
    const release = this.#lends ? () => void bytes.fill(SPOILED) : undefined;
    this.#guard(() => this.#handlers?.onMessage(bytes, release));
  }

  #onClose(code: number, reason: string): void {
    if (this.#state === "open") {
      this.#state = "closing";
      this.#out?.push({ kind: "close", code, reason });
    }
    this.#finish({ code, reason });
  }

  #finish(reason: CloseReason): void {
    if (this.#state === "closed") {
      return;
    }
    this.#state = "closed";
    this.#unread = [];
    this.#world.scheduler.schedule({
      delayMs: 0,
      kind: "net.closed",
      label: this.remoteAddress,
      amount: reason.code,
      owner: this.process,
      run: () => {
        this.#guard(() => this.#handlers?.onClose(reason));
        this.#announceClosed();
      },
    });
  }

  #announceClosed(): void {
    for (const listener of this.#closeListeners) {
      listener();
    }
  }

  #readLater(): void {
    if (this.#isReading || this.#unread.length === 0) {
      return;
    }
    this.#isReading = true;
    this.#world.scheduler.schedule({
      delayMs: 0,
      kind: "net.read",
      label: this.remoteAddress,
      owner: this.process,
      run: () => {
        this.#isReading = false;
        const segment = this.#isPaused ? undefined : this.#unread.shift();
        if (segment !== undefined && this.#state !== "closed") {
          this.#take(segment);
          this.#readLater();
        }
      },
    });
  }

  /** A handler that throws costs its own connection, nothing else. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      noteHandlerError(this.#world, error);
      this.terminate();
    }
  }
}
