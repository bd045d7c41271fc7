// Writing one binary WebSocket message (RFC 6455, section 5.2) as one frame straight from its chunks. ws would
// make one frame per chunk, which the receiver joins with another copy. Between ws's own frames (ping, pong,
// close) this is safe: without compression ws writes every frame whole and at once.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-------+-+-------------+-------------------------------+
//   |F|R|R|R| opcode|M| Payload len |  Extended length (16 or 64)   |
//   +-+-+-+-+-------+-+-------------+-------------------------------+
//   | Masking key, when M is set (dialer to listener) | payload ... |

const FINAL_BINARY = 0x82;
const MASKED = 0x80;
/** Messages up to this size are copied into one buffer: one short write costs less than a vector. */
export const JOIN_BYTES = 4_096;

/** The part of a socket that a message needs. */
export interface FrameSink {
  /** `onDone`: the bytes and all before them were written, or never will be (the socket is destroyed). */
  write(bytes: Uint8Array, onDone?: () => void): boolean;
}

export const headerBytes = (payloadBytes: number, masked: boolean): number => {
  const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8;
  return 2 + lengthBytes + (masked ? 4 : 0);
};

/** Writes the header at the start of `target`. A masked frame gets the key 0, which leaves the payload as it is. */
function writeHeader(target: Buffer, payloadBytes: number, masked: boolean): void {
  const mask = masked ? MASKED : 0;
  target[0] = FINAL_BINARY;
  if (payloadBytes < 126) {
    target[1] = mask | payloadBytes;
  } else if (payloadBytes < 65_536) {
    target[1] = mask | 126;
    target.writeUInt16BE(payloadBytes, 2);
  } else {
    target[1] = mask | 127;
    target.writeUInt32BE(Math.floor(payloadBytes / 2 ** 32), 2);
    target.writeUInt32BE(payloadBytes >>> 0, 6);
  }
  if (masked) {
    target.fill(0, headerBytes(payloadBytes, masked) - 4, headerBytes(payloadBytes, masked));
  }
}

export interface WriteMessageOptions {
  /** True at the dialing end. */
  readonly masked: boolean;
  /** The chunks are not looked at any more. */
  readonly onLeft?: (() => void) | undefined;
}

/** Writes the chunks as one message: small ones joined, large ones as they are, behind the header. */
export function writeMessage(
  sink: FrameSink,
  chunks: readonly Uint8Array[],
  { masked, onLeft }: WriteMessageOptions,
): void {
  let payloadBytes = 0;
  for (const chunk of chunks) {
    payloadBytes += chunk.length;
  }
  const header = headerBytes(payloadBytes, masked);
  if (payloadBytes <= JOIN_BYTES) {
    const frame = Buffer.allocUnsafe(header + payloadBytes);
    writeHeader(frame, payloadBytes, masked);
    let position = header;
    for (const chunk of chunks) {
      frame.set(chunk, position);
      position += chunk.length;
    }
    onLeft?.();
    sink.write(frame);
    return;
  }
  const head = Buffer.allocUnsafe(header);
  writeHeader(head, payloadBytes, masked);
  sink.write(head);
  const last = chunks.findLastIndex((chunk) => chunk.length > 0);
  for (const [index, chunk] of chunks.entries()) {
    if (index === last) {
      sink.write(chunk, onLeft);
    } else if (chunk.length > 0) {
      sink.write(chunk);
    }
  }
}
