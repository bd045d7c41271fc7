// cbor-x, set up for Millrace: plain maps and arrays, no records extension, no tags. The build without `eval`
// and without the native addon, so that it runs under any Content-Security-Policy and is the same everywhere.
// Nothing is decoded here that `check.ts` has not accepted.

import { Encoder } from "cbor-x/index-no-eval";
import { type CborLimits, checkCbor } from "./check.js";

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
});

/** Encodes what schemas made: numbers are integers below 2^32, larger ones bigints, no `undefined`. */
export function encodeItem(wire: unknown): Uint8Array {
  const bytes = codec.encode(wire) as Uint8Array;
  // On Node.js cbor-x returns a Buffer; public values are plain Uint8Arrays.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Decodes `bytes[start..end)`, one checked item. Integers of 2^32 and more come as bigint, byte strings as views.
 */
export function decodeChecked(bytes: Uint8Array, start: number, end: number): unknown {
  // A view of our own: cbor-x leaves a property on what it reads.
  return codec.decode(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
}

/** Encodes one item, for CBOR outside frames: metadata records, checkpoint files. */
export function encodeCbor(wire: unknown): Uint8Array {
  return encodeItem(wire);
}

/**
 * Checks and decodes one item, for CBOR outside frames.
 * @throws ProtocolError `INVALID_REQUEST`
 */
export function decodeCbor(bytes: Uint8Array, limits?: CborLimits): unknown {
  checkCbor(bytes, limits);
  return decodeChecked(bytes, 0, bytes.length);
}
