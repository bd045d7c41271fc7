// Follows the frame boundaries in the bytes of a socket, before ws sees them: how much of an unfinished message
// has arrived, and whether a message announces more than it may have. Pure; keeps no payload.

const MAX_HEADER_BYTES = 14;
/** What one piece of an unfinished message costs besides its bytes, in ws's list of them. */
const PIECE_OVERHEAD_BYTES = 128;

export class FrameMeter {
  /** Payload bytes allowed per message. */
  maxMessageBytes: number;
  /** What the unfinished message holds in memory, roughly; 0 between messages. */
  partialBytes = 0;
  /** Bytes of data frames so far, over the connection's life: progress, as control frames are not. */
  dataBytes = 0;
  /** Messages that ended so far. */
  messageCount = 0;
  /** A message announced more than `maxMessageBytes`. Final. */
  isTooLarge = false;

  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;
  #announcedBytes = 0;
  #isControl = false;
  #isFinal = false;
  #isInMessage = false;

  constructor(maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Takes the next bytes of the socket. */
  push(chunk: Uint8Array): void {
    let position = 0;
    let messageStart = 0;
    const before = this.messageCount;
    while (position < chunk.length && !this.isTooLarge) {
      if (this.#payloadLeft > 0) {
        const count = Math.min(this.#payloadLeft, chunk.length - position);
        this.#payloadLeft -= count;
        position += count;
        this.dataBytes += this.#isControl ? 0 : count;
      } else {
        this.#header[this.#headerBytes++] = chunk[position++] ?? 0;
        if (this.#headerBytes < this.#headerLength()) {
          continue;
        }
        this.#startFrame();
      }
      if (this.#payloadLeft === 0) {
        messageStart = this.#endFrame() ? position : messageStart;
      }
    }
    const isUnfinished = this.#isInMessage || this.#headerBytes > 0;
    const kept = this.messageCount === before ? this.partialBytes : 0;
    this.partialBytes = isUnfinished
      ? kept + chunk.length - messageStart + PIECE_OVERHEAD_BYTES
      : 0;
  }

  /** How long the header is, as far as its first two bytes tell. */
  #headerLength(): number {
    if (this.#headerBytes < 2) {
      return 2;
    }
    const second = this.#header[1] ?? 0;
    const length = second & 127;
    const lengthBytes = length < 126 ? 0 : length === 126 ? 2 : 8;
    return 2 + lengthBytes + (second & 128 ? 4 : 0);
  }

  #startFrame(): void {
    const header = new DataView(this.#header.buffer);
    const length = header.getUint8(1) & 127;
    this.#isFinal = (header.getUint8(0) & 128) !== 0;
    this.#isControl = (header.getUint8(0) & 8) !== 0;
    this.#payloadLeft = length;
    if (length === 126) {
      this.#payloadLeft = header.getUint16(2);
    } else if (length === 127) {
      this.#payloadLeft = header.getUint32(2) * 2 ** 32 + header.getUint32(6);
    }
    if (!this.#isControl) {
      this.#isInMessage = true;
      this.dataBytes += this.#headerBytes;
      this.#announcedBytes += this.#payloadLeft;
      this.isTooLarge = this.#announcedBytes > this.maxMessageBytes;
    }
  }

  /** True when a message ended with this frame. */
  #endFrame(): boolean {
    this.#headerBytes = 0;
    if (this.#isControl) {
      // Between messages a control frame leaves nothing behind; within one its bytes are gone as well, but
      // counting them on costs little and keeps this simple.
      return !this.#isInMessage;
    }
    if (!this.#isFinal) {
      return false;
    }
    this.messageCount += 1;
    this.#isInMessage = false;
    this.#announcedBytes = 0;
    return true;
  }
}
