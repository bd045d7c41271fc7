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

/** Smaller messages share memory, whatever Node's pool is: 8 KiB in Node 20, 64 KiB in Node 26. */
const OWN_MEMORY_BYTES = 4_096;

/** Memory for a message, not cleared. A large one is kept alive by nothing but itself. */
export function messageMemory(bytes: number): Uint8Array {
  return toUint8Array(
    bytes < OWN_MEMORY_BYTES ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes),
  );
}
