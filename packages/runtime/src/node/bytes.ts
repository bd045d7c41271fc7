// Buffers at the edge of the port: inside Millrace bytes are plain Uint8Arrays.

/** A plain view of what ws delivers (a Buffer, with `binaryType` "nodebuffer"; the other shapes for its types). */
export function toUint8Array(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) {
    return toUint8Array(Buffer.concat(data));
  }
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.length);
}
