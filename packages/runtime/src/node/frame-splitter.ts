// Takes the messages that Millrace's clients send (one binary frame each, masked) out of the bytes of a socket, each
// into memory of its own that the socket can read into. Pings and pongs are handed on, for a complete WebSocket
// implementation to answer; and from the first other frame on (fragments, text, close, anything that breaks a rule)
// all bytes are, because what follows depends on what it makes of that frame. Pure.

const BINARY_MESSAGE = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const MASKED = 0x80;
const CONTROL_BYTES_MAX = 125;
const MASK_BYTES = 4;
const MAX_HEADER_BYTES = 14;
/** Memory for a message whose bytes are yet to come: this much, or so many times what has come. */
const FIRST_BYTES = 4_096;
const GROWTH = 16;
/** A rest below this is read together with what follows it, and copied. */
const DIRECT_FROM_BYTES = 16 * 1024;

export interface FrameSplitterOptions {
  /** Payload bytes allowed per message. From a frame that announces more on, all is handed on. */
  readonly maxMessageBytes: number;
  /** Read into while it is not known what comes. Nothing keeps views of it, so many splitters can share it. */
  readonly scratch: Uint8Array;
  /** Memory for a message; need not be cleared. */
  readonly allocate: (bytes: number) => Uint8Array;
  /** A message is whole. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Bytes that belong to no such message, valid during the call. */
  readonly onOther: (bytes: Uint8Array) => void;
}

export class FrameSplitter {
  maxMessageBytes: number;
  readonly #options: FrameSplitterOptions;
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  /** Of what is handed on. */
  #otherLeft = 0;
  /** The message that is being received, as far as memory was taken for it. */
  #message: Uint8Array | undefined;
  #messageBytes = 0;
  #filledBytes = 0;
  readonly #mask = new Uint8Array(MASK_BYTES);
  #isDirect = false;

  constructor(options: FrameSplitterOptions) {
    this.#options = options;
    this.maxMessageBytes = options.maxMessageBytes;
  }

  /** Where the socket's next bytes belong. Valid until the next call of any method. */
  target(): Uint8Array {
    const message = this.#message;
    this.#isDirect =
      message !== undefined && this.#messageBytes - this.#filledBytes >= DIRECT_FROM_BYTES;
    return this.#isDirect && message !== undefined
      ? message.subarray(this.#filledBytes)
      : this.#options.scratch;
  }

  /** So many bytes were put at the start of what `target` returned last. */
  received(count: number): void {
    if (this.#isDirect) {
      this.#filled(count);
    } else {
      this.push(this.#options.scratch.subarray(0, count));
    }
  }

  /** Takes bytes from anywhere. */
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
    this.#message = undefined;
    this.#isDirect = false;
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
    const payloadBytes = this.#payloadBytes();
    const headerBytes = this.#headerBytes;
    this.#headerBytes = 0;
    if (first !== BINARY_MESSAGE || !isMasked || payloadBytes > this.maxMessageBytes) {
      const isBeat = (first === PING || first === PONG) && payloadBytes <= CONTROL_BYTES_MAX;
      this.#otherLeft = isBeat && isMasked ? payloadBytes : Number.POSITIVE_INFINITY;
      this.#options.onOther(this.#header.subarray(0, headerBytes));
      return;
    }
    this.#mask.set(this.#header.subarray(headerBytes - MASK_BYTES, headerBytes));
    this.#messageBytes = payloadBytes;
    this.#filledBytes = 0;
    const bytes = Math.min(payloadBytes, Math.max(FIRST_BYTES, atHand * GROWTH));
    this.#message = this.#options.allocate(bytes);
    if (payloadBytes === 0) {
      this.#finish();
    }
  }

  /** Copies what belongs to the message. @returns how much that was */
  #fill(message: Uint8Array, bytes: Uint8Array): number {
    const count = Math.min(bytes.length, message.length - this.#filledBytes);
    message.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#filledBytes);
    this.#filled(count);
    return count;
  }

  #filled(count: number): void {
    this.#filledBytes += count;
    const message = this.#message;
    if (this.#filledBytes === this.#messageBytes) {
      this.#finish();
    } else if (message !== undefined && this.#filledBytes === message.length) {
      const bytes = Math.min(this.#messageBytes, this.#filledBytes * GROWTH);
      this.#message = this.#options.allocate(bytes);
      this.#message.set(message);
    }
  }

  #finish(): void {
    const message = this.#message;
    this.#message = undefined;
    if (message !== undefined) {
      unmask(message, this.#mask);
      this.#options.onMessage(message);
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
