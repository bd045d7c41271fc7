// Kafka's partitioner for keyed records: the 32-bit MurmurHash2 variant of `Utils.murmur2`, seed 0x9747b28c.
// The same key lands on the same partition whichever Kafka or Millrace client sends it.

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** The hash as a signed 32-bit number, as Java's `Utils.murmur2(byte[])` returns it. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const wordsEnd = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < wordsEnd; at += 4) {
    let word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    word = Math.imul(word, M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  if (length !== wordsEnd) {
    for (let at = length - 1; at >= wordsEnd; at--) {
      hash ^= (bytes[at] as number) << ((at - wordsEnd) * 8);
    }
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}

/** The partition of a keyed record: Kafka's `toPositive(murmur2(key)) % partitionCount`. */
export function partitionForKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount;
}
