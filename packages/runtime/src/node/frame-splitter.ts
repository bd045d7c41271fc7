// Takes the messages that Millrace sends (one binary frame each, masked by clients) out of the bytes of a socket, each
// into memory of its own, or of a pool that gets it back. Pings and pongs are handed on, for a complete WebSocket
// implementation to answer; and from the first other frame on (fragments, text, close, anything that breaks a rule)
// all bytes are, because what follows depends on what it makes of that frame. Pure.

import type { BufferPool } from "../buffer-pool.js";

const BINARY_MESSAGE = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const MASKED = 0x80;
const CONTROL_BYTES_MAX = 125;
const MASK_BYTES = 4;
const MAX_HEADER_BYTES = 14;
/** The least memory that is taken for a message whose bytes are yet to come. */
const FIRST_BYTES = 4_096;
const SURE_SHARE = 0.25;

/** What a message is received into. */
interface MessageMemory {
  readonly bytes: Uint8Array;
  /** Undefined when it is not used again. */
  readonly release: (() => void) | undefined;
}

export interface FrameSplitterOptions {
  /** Payload bytes allowed per message. From a frame that announces more on, all is handed on. */
  readonly maxMessageBytes: number;
  /** Whether frames carry masks: those of a client do, those of a server must not (RFC 6455, section 5.1). Default true. */
  readonly isMasked?: boolean;
  /**
   * While less than this share of a message has come, its memory doubles; then it is taken whole. Default 0.25. With 0
   * a mere claim takes memory, up to the limit: for peers that one chose.
   */
  readonly sureShare?: number;
  /** Memory for a message; need not be cleared. */
  readonly allocate: (bytes: number) => Uint8Array;
  /** For large messages instead. What lies there free is taken for all of a message at once: it costs nothing more. */
  readonly pool?: Pick<BufferPool, "keeps" | "take" | "takeFree"> | undefined;
  /** A message is whole. With `release` its memory is the pool's: see `ConnectionEvents.onMessage`. */
  readonly onMessage: (message: Uint8Array, release: (() => void) | undefined) => void;
  /** Bytes that belong to no such message, valid during the call. */
  readonly onOther: (bytes: Uint8Array) => void;
}

export class FrameSplitter {
  maxMessageBytes: number;
  readonly #options: FrameSplitterOptions;
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  readonly #isMasked: boolean;
  #headerBytes = 0;
  /** Of what is handed on. */
  #otherLeft = 0;
  /** The message that is being received, as far as memory was taken for it. */
  #message: MessageMemory | undefined;
  #messageBytes = 0;
  #filledBytes = 0;
  readonly #mask = new Uint8Array(MASK_BYTES);

  constructor(options: FrameSplitterOptions) {
    this.#options = options;
    this.#isMasked = options.isMasked ?? true;
    this.maxMessageBytes = options.maxMessageBytes;
  }

  /** Takes the next bytes of the socket; keeps no view of them. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#message !== undefined) {
        at += this.#fill(this.#message, bytes.subarray(at));
      } else if (this.#otherLeft > 0) {
        const count = Math.min(this.#otherLeft, bytes.length - at);
        this.#otherLeft -= count;
        this.#options.onOther(bytes.subarray(at, at + count));
        at += count;
      } else {
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes >= 2 && this.#headerBytes === this.#headerLength()) {
          this.#startFrame(bytes.length - at);
        }
      }
    }
  }

  /** Lets go of an unfinished message. Nothing may be pushed afterwards. */
  drop(): void {
    this.#message?.release?.();
    this.#message = undefined;
  }

  #headerLength(): number {
    const second = this.#header[1] ?? 0;
    const length = second & 127;
    const lengthBytes = length < 126 ? 0 : length === 126 ? 2 : 8;
    return 2 + lengthBytes + (second & MASKED ? MASK_BYTES : 0);
  }

  #payloadBytes(): number {
    const header = new DataView(this.#header.buffer);
    const length = header.getUint8(1) & 127;
    if (length < 126) {
      return length;
    }
    return length === 126
      ? header.getUint16(2)
      : header.getUint32(2) * 2 ** 32 + header.getUint32(6);
  }

  /** `atHand`: bytes that follow the header right away. */
  #startFrame(atHand: number): void {
    const first = this.#header[0] ?? 0;
    const isMasked = ((this.#header[1] ?? 0) & MASKED) !== 0;
    const isRight = isMasked === this.#isMasked;
    const payloadBytes = this.#payloadBytes();
    const headerBytes = this.#headerBytes;
    this.#headerBytes = 0;
    if (first !== BINARY_MESSAGE || !isRight || payloadBytes > this.maxMessageBytes) {
      const isBeat = (first === PING || first === PONG) && payloadBytes <= CONTROL_BYTES_MAX;
      this.#otherLeft = isBeat && isRight ? payloadBytes : Number.POSITIVE_INFINITY;
      this.#options.onOther(this.#header.subarray(0, headerBytes));
      return;
    }
    if (isMasked) {
      this.#mask.set(this.#header.subarray(headerBytes - MASK_BYTES, headerBytes));
    }
    this.#messageBytes = payloadBytes;
    this.#filledBytes = 0;
    this.#message =
      this.#options.pool?.takeFree(payloadBytes) ?? this.#allocate(this.#memoryFor(atHand));
    if (payloadBytes === 0) {
      this.#finish();
    }
  }

  /** Copies what belongs to the message. @returns how much that was */
  #fill({ bytes: message }: MessageMemory, bytes: Uint8Array): number {
    const count = Math.min(bytes.length, message.length - this.#filledBytes);
    message.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#filledBytes);
    this.#filledBytes += count;
    if (this.#filledBytes === this.#messageBytes) {
      this.#finish();
    } else if (this.#filledBytes === message.length) {
      this.#message = this.#allocate(this.#memoryFor(this.#filledBytes));
      this.#message.bytes.set(message);
    }
    return count;
  }

  /** Memory that grows on is not the pool's: it would be left with pieces of every size. */
  #allocate(bytes: number): MessageMemory {
    const { pool, allocate } = this.#options;
    const isPooled = bytes === this.#messageBytes && pool?.keeps(bytes) === true;
    return isPooled ? pool.take(bytes) : { bytes: allocate(bytes), release: undefined };
  }

  /** How much to take when so many bytes of the message have come. */
  #memoryFor(comeBytes: number): number {
    const totalBytes = this.#messageBytes;
    const isSure = comeBytes >= totalBytes * (this.#options.sureShare ?? SURE_SHARE);
    return isSure ? totalBytes : Math.min(totalBytes, Math.max(FIRST_BYTES, comeBytes * 2));
  }

  #finish(): void {
    const message = this.#message;
    this.#message = undefined;
    if (message !== undefined) {
      unmask(message.bytes, this.#mask);
      this.#options.onMessage(message.bytes, message.release);
    }
  }
}

/** RFC 6455, section 5.3. Clients of ours on Node use the key 0, which changes nothing. */
function unmask(bytes: Uint8Array, [a = 0, b = 0, c = 0, d = 0]: Uint8Array): void {
  if ((a | b | c | d) === 0) {
    return;
  }
  const mask = [a, b, c, d];
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = (bytes[at] ?? 0) ^ (mask[at & 3] ?? 0);
  }
}
