// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein): a hash under a secret key, so that nobody who chooses record
// keys can make two of them collide. The log cleaner believes that equal hashes mean equal keys: with n keys in a
// pass the odds that it is wrong once are n^2 / 2^129, for three million about 10^-26. 64-bit words are pairs of 32-bit
// halves; the result stays in four fields, so that hashing allocates nothing.

export class KeyHash {
  /** The result of the last `hash`, unsigned. */
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  readonly #k: Uint32Array;
  /** v0 to v3 as low and high halves. */
  #v0l = 0;
  #v0h = 0;
  #v1l = 0;
  #v1h = 0;
  #v2l = 0;
  #v2h = 0;
  #v3l = 0;
  #v3h = 0;

  /** `secret`: 16 bytes. */
  constructor(secret: Uint8Array) {
    const view = new DataView(secret.buffer, secret.byteOffset, 16);
    this.#k = Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true));
  }

  hash(bytes: Uint8Array, start: number, length: number): void {
    const [k0l = 0, k0h = 0, k1l = 0, k1h = 0] = this.#k;
    this.#v0l = k0l ^ 0x70736575;
    this.#v0h = k0h ^ 0x736f6d65;
    this.#v1l = k1l ^ 0x6e646f6d ^ 0xee;
    this.#v1h = k1h ^ 0x646f7261;
    this.#v2l = k0l ^ 0x6e657261;
    this.#v2h = k0h ^ 0x6c796765;
    this.#v3l = k1l ^ 0x79746573;
    this.#v3h = k1h ^ 0x74656462;
    const words = start + (length & ~7);
    for (let at = start; at < words; at += 8) {
      this.#word(word(bytes, at), word(bytes, at + 4));
    }
    let low = 0;
    let high = (length & 0xff) << 24;
    for (let index = 0; index < (length & 7); index++) {
      const byte = bytes[words + index] as number;
      if (index < 4) {
        low |= byte << (index * 8);
      } else {
        high |= byte << ((index - 4) * 8);
      }
    }
    this.#word(low, high);
    this.#v2l ^= 0xee;
    this.#rounds(4);
    this.a = (this.#v0l ^ this.#v1l ^ this.#v2l ^ this.#v3l) >>> 0;
    this.b = (this.#v0h ^ this.#v1h ^ this.#v2h ^ this.#v3h) >>> 0;
    this.#v1l ^= 0xdd;
    this.#rounds(4);
    this.c = (this.#v0l ^ this.#v1l ^ this.#v2l ^ this.#v3l) >>> 0;
    this.d = (this.#v0h ^ this.#v1h ^ this.#v2h ^ this.#v3h) >>> 0;
  }

  #word(low: number, high: number): void {
    this.#v3l ^= low;
    this.#v3h ^= high;
    this.#rounds(2);
    this.#v0l ^= low;
    this.#v0h ^= high;
  }

  #rounds(count: number): void {
    let v0l = this.#v0l | 0;
    let v0h = this.#v0h | 0;
    let v1l = this.#v1l | 0;
    let v1h = this.#v1h | 0;
    let v2l = this.#v2l | 0;
    let v2h = this.#v2h | 0;
    let v3l = this.#v3l | 0;
    let v3h = this.#v3h | 0;
    for (let round = 0; round < count; round++) {
      // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
      let sum = (v0l >>> 0) + (v1l >>> 0);
      v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      let low = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = low ^ v0l;
      low = v0l;
      v0l = v0h;
      v0h = low;
      // v2 += v3; v3 = rotl(v3, 16) ^ v2
      sum = (v2l >>> 0) + (v3l >>> 0);
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      low = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = low ^ v2l;
      // v0 += v3; v3 = rotl(v3, 21) ^ v0
      sum = (v0l >>> 0) + (v3l >>> 0);
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      low = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = low ^ v0l;
      // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
      sum = (v2l >>> 0) + (v1l >>> 0);
      v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      low = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = low ^ v2l;
      low = v2l;
      v2l = v2h;
      v2h = low;
    }
    this.#v0l = v0l;
    this.#v0h = v0h;
    this.#v1l = v1l;
    this.#v1h = v1h;
    this.#v2l = v2l;
    this.#v2h = v2h;
    this.#v3l = v3l;
    this.#v3h = v3h;
  }
}

/** Four bytes, least significant first. */
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
