// RFC 6455 frames by hand: written as a client would, or wrongly on purpose, and read as a server sends them.

export interface FrameOptions {
  /** Default 2, binary. */
  readonly opcode?: number;
  /** Default true. */
  readonly isFinal?: boolean;
  /** Clients must mask; default true. The mask is all zeros, so the payload travels as it is. */
  readonly isMasked?: boolean;
  /** Reserved bits 1 to 3 of the first byte. */
  readonly reserved?: number;
  /** What the header says instead of the payload's length. */
  readonly announcedBytes?: number;
}

/** The header of a frame with a payload of `length` bytes. */
export function frameHeader(length: number, options: FrameOptions = {}): Buffer {
  const { opcode = 2, isFinal = true, isMasked = true, reserved = 0 } = options;
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  const maskBit = isMasked ? 0x80 : 0;
  const mask = Buffer.alloc(isMasked ? 4 : 0);
  if (length < 126) {
    return Buffer.concat([Buffer.from([first, maskBit | length]), mask]);
  }
  if (length < 0x10000) {
    const head = Buffer.from([first, maskBit | 126, 0, 0]);
    head.writeUInt16BE(length, 2);
    return Buffer.concat([head, mask]);
  }
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = maskBit | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, mask]);
}

export function webSocketFrame(payload: Uint8Array | string, options: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([frameHeader(options.announcedBytes ?? bytes.length, options), bytes]);
}

export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** Cuts the bytes of a server into frames, which are never masked. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #neededBytes = 2;

  push(chunk: Buffer): ServerFrame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const frames: ServerFrame[] = [];
    while (this.#bytes >= this.#neededBytes) {
      const all = Buffer.concat(this.#chunks);
      const frame = parseFrame(all);
      if (typeof frame === "number") {
        this.#chunks = [all];
        this.#neededBytes = frame;
        continue;
      }
      frames.push(frame);
      const rest = all.subarray(frame.end);
      this.#chunks = [rest];
      this.#bytes = rest.length;
      this.#neededBytes = 2;
    }
    return frames;
  }
}

/** A frame and where it ends, or how many bytes it needs at least. */
function parseFrame(bytes: Buffer): (ServerFrame & { readonly end: number }) | number {
  const short = (bytes[1] ?? 0) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) {
    return start;
  }
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = start + length;
  return bytes.length < end
    ? end
    : { opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(start, end), end };
}
