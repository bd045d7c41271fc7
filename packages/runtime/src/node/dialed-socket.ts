// A socket that is dialed for a WebSocket and read without Node's streams, into one buffer for all, from which messages
// are copied into memory of their own. The server's answer to the upgrade goes to node:http, and everything that is no
// plain message to ws: both get it as `data`, as from any socket.

import { connect, type Socket } from "node:net";
import { messageMemory } from "./bytes.js";
import { FrameSplitter } from "./frame-splitter.js";

export interface DialedSocketOptions {
  readonly host: string;
  readonly port: number;
  readonly maxMessageBytes: number;
  /** What is read lies here for the moment. Sockets of one thread may share it. */
  readonly scratch: Uint8Array;
}

export class DialedSocket {
  /** Emits `data` for those bytes alone that are no message of ours. */
  readonly socket: Socket;
  readonly #splitter: FrameSplitter;
  readonly #headEnd = new HeadEnd();
  #onMessage: ((message: Uint8Array) => void) | undefined;
  /** node:http was given the answer exactly to its end, so that what comes now begins a frame. */
  #isAtFrame = false;

  constructor({ host, port, maxMessageBytes, scratch }: DialedSocketOptions) {
    this.#splitter = new FrameSplitter({
      isMasked: false,
      sureShare: 0,
      maxMessageBytes,
      allocate: messageMemory,
      onMessage: (message) => this.#onMessage?.(message),
      onOther: (bytes) => this.#handOn(bytes),
    });
    this.socket = connect({
      host,
      port,
      onread: {
        buffer: scratch,
        callback: (count) => {
          this.#received(scratch.subarray(0, count));
          return true;
        },
      },
    });
    this.socket.once("close", () => this.#splitter.drop());
  }

  /** From now on the socket carries frames. Called while it emits the end of the server's answer. */
  start(onMessage: (message: Uint8Array) => void): void {
    this.#onMessage = onMessage;
  }

  #received(bytes: Uint8Array): void {
    let rest = bytes;
    while (this.#onMessage === undefined && rest.length > 0 && !this.socket.destroyed) {
      const { count, isEnd } = this.#headEnd.find(rest);
      this.#isAtFrame = isEnd;
      this.#handOn(rest.subarray(0, count));
      rest = rest.subarray(count);
    }
    if (this.socket.destroyed || rest.length === 0) {
      return;
    }
    if (this.#isAtFrame) {
      this.#splitter.push(rest);
    } else {
      this.#handOn(rest);
    }
  }

  /** Whoever listens may keep what it gets. */
  #handOn(bytes: Uint8Array): void {
    this.socket.emit("data", Buffer.from(bytes));
  }
}

const CR = 13;
const LF = 10;
const HEAD_END = [CR, LF, CR, LF];

/** Finds the empty line behind the head of an HTTP answer, across the pieces it comes in. */
class HeadEnd {
  /** So many bytes of `HEAD_END` came last. */
  #matched = 0;

  /** How many bytes belong to the head, and whether they end it. */
  find(bytes: Uint8Array): { count: number; isEnd: boolean } {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      this.#matched = byte === HEAD_END[this.#matched] ? this.#matched + 1 : byte === CR ? 1 : 0;
      if (this.#matched === HEAD_END.length) {
        this.#matched = 0;
        return { count: at + 1, isEnd: true };
      }
    }
    return { count: bytes.length, isEnd: false };
  }
}
