// An accepted socket that is read without Node's streams, into one buffer for all, from which messages are copied into
// memory of their own. Node offers that (`onread`) only to whoever makes the socket, and a server's are made by Node;
// so the connection is taken out of its socket and put into one made here. Where that is not possible (another
// runtime, TLS, Windows), the caller uses the socket as it is. Reading into the messages themselves would save that
// copy, but Node keeps the last buffer of a socket alive for as long as the socket, an unfinished message included.

import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { BufferPool } from "../buffer-pool.js";
import { messageMemory } from "./bytes.js";
import { FrameSplitter } from "./frame-splitter.js";

/** How much is read at once. */
const SCRATCH_BYTES = 64 * 1024;

/** Shared by all sockets of a listener: what a read puts there is taken from there before the next read. */
export const createScratch = (): Uint8Array => new Uint8Array(SCRATCH_BYTES);

/** What Node keeps in a socket: private, but the same from Node 0.1 to 26. */
interface WithHandle {
  _handle?: { readonly useUserBuffer?: unknown } | null;
}

interface FromHandle extends SocketConstructorOpts {
  /** Private as well: how a server makes its sockets. */
  readonly handle: object;
  readonly onread: OnReadOpts;
}

export interface DirectSocketEvents {
  /** All bytes of the socket, before they are looked at. */
  readonly onBytes: (bytes: Uint8Array) => void;
  /** `release` as in `ConnectionEvents.onMessage`. */
  readonly onMessage: (message: Uint8Array, release: (() => void) | undefined) => void;
}

export interface DirectSocketOptions {
  readonly maxMessageBytes: number;
  readonly scratch: Uint8Array;
  /** Memory for large messages; without it each gets its own. */
  readonly pool?: BufferPool | undefined;
}

export class DirectSocket {
  /** Emits `data` for those bytes alone that are no message of ours. */
  readonly socket: Socket;
  readonly #splitter: FrameSplitter;
  #events: DirectSocketEvents | undefined;

  private constructor(handle: object, options: DirectSocketOptions) {
    const { maxMessageBytes, scratch, pool } = options;
    this.#splitter = new FrameSplitter({
      maxMessageBytes,
      allocate: messageMemory,
      pool,
      onMessage: (message, release) => this.#events?.onMessage(message, release),
      // Whoever listens may keep what it gets.
      onOther: (bytes) => this.socket.emit("data", Buffer.from(bytes)),
    });
    const fromHandle: FromHandle = {
      handle,
      allowHalfOpen: true,
      onread: {
        buffer: scratch,
        callback: (count) => {
          this.#push(scratch.subarray(0, count));
          return true;
        },
      },
    };
    this.socket = new Socket(fromHandle);
  }

  /**
   * Takes the connection over, or returns undefined and leaves `accepted` as it was. `accepted` is destroyed when the
   * new socket closes, so that its server counts right.
   */
  static takeOver(accepted: Duplex, options: DirectSocketOptions): DirectSocket | undefined {
    const holder = accepted as Duplex & WithHandle;
    const handle = holder._handle ?? undefined;
    const isPlain = process.platform !== "win32" && isExactly(Socket, accepted);
    const isQuiet = accepted.readableLength === 0 && accepted.writableLength === 0;
    if (!isPlain || !isQuiet || typeof handle?.useUserBuffer !== "function") {
      return undefined;
    }
    holder._handle = null;
    const direct = new DirectSocket(handle, options);
    direct.socket.once("close", () => {
      direct.drop();
      accepted.destroy();
    });
    return direct;
  }

  set maxMessageBytes(bytes: number) {
    this.#splitter.maxMessageBytes = bytes;
  }

  /** Starts delivering; `head` came before. */
  start(events: DirectSocketEvents, head: Uint8Array): void {
    this.#events = events;
    if (head.length > 0) {
      this.#push(head);
    }
  }

  /** Lets go of an unfinished message. */
  drop(): void {
    this.#splitter.drop();
  }

  #push(bytes: Uint8Array): void {
    this.#events?.onBytes(bytes);
    if (!this.socket.destroyed) {
      this.#splitter.push(bytes);
    }
  }
}

/** Not a subclass: a TLS socket's handle is another thing. */
const isExactly = (type: unknown, object: object): boolean => object.constructor === type;
