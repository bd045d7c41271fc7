// The records a measurement sends: made once, so that making them costs nothing while the clock runs. Pure.

/** How many different payloads take turns: enough that nothing between here and the disk profits from repeats. */
const POOL_SIZE = 1024;
const POOL_BYTES_MAX = 64 * 1024 * 1024;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789 ,.:{}"-_ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The same for every run: a linear congruential generator, seeded (Numerical Recipes' constants). */
function createSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 16;
  };
}

/** Payloads of `size` bytes of printable text. */
export function createPayloads(size: number): Uint8Array[] {
  const count = Math.max(1, Math.min(POOL_SIZE, Math.floor(POOL_BYTES_MAX / Math.max(1, size))));
  const next = createSequence(0x6d696c6c);
  return Array.from({ length: count }, () => {
    const payload = new Uint8Array(size);
    for (let index = 0; index < size; index += 1) {
      payload[index] = ALPHABET.charCodeAt(next() % ALPHABET.length);
    }
    return payload;
  });
}

/** Bytes at the front of a payload that carry a number. */
export const MARK_BYTES = 8;
const MARK_TAG = 0x6d72;

/** A payload that carries `number` (below 2^48), to be recognised at the other end. */
export function markPayload(size: number, number: number): Uint8Array {
  const payload = new Uint8Array(Math.max(size, MARK_BYTES)).fill(0x2e);
  const view = new DataView(payload.buffer);
  view.setUint16(0, MARK_TAG);
  view.setUint16(2, Math.floor(number / 0x100000000));
  view.setUint32(4, number >>> 0);
  return payload;
}

/** The number a payload carries, if it is a marked one. */
export function readMark(payload: Uint8Array): number | undefined {
  if (
    payload.length < MARK_BYTES ||
    payload[0] !== MARK_TAG >> 8 ||
    payload[1] !== (MARK_TAG & 0xff)
  ) {
    return undefined;
  }
  const view = new DataView(payload.buffer, payload.byteOffset, MARK_BYTES);
  return view.getUint16(2) * 0x100000000 + view.getUint32(4);
}
