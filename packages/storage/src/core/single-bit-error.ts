// Whether two CRC-32Cs differ as they do when one bit of the bytes was flipped. A CRC is linear: which bit it was decides
// the difference, whatever the bytes. Pure.

/** Castagnoli, reflected. */
const POLYNOMIAL = 0x82f63b78;

/**
 * Whether flipping one of the bits of `length` bytes turns the CRC `claimed` into `actual`, or `claimed` itself has one
 * flipped bit. Bytes that differ in more do so by chance in one case of `2 ** 32 / (8 * length)`.
 */
export function isSingleBitError(actual: number, claimed: number, length: number): boolean {
  const difference = (actual ^ claimed) | 0;
  if (difference === 0) {
    return false;
  }
  if ((difference & (difference - 1)) === 0) {
    return true;
  }
  // The last bit's effect first, then the one's before it, and so on.
  let effect = POLYNOMIAL | 0;
  for (let bit = length * 8; bit > 0; bit--) {
    if (effect === difference) {
      return true;
    }
    effect = (effect & 1) === 0 ? effect >>> 1 : (effect >>> 1) ^ POLYNOMIAL;
  }
  return false;
}
