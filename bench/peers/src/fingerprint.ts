// Whether what was read is what was sent: a sum over all records that does not depend on their order, cheap enough to
// be taken while the clock runs. A record read twice in place of another changes it. Pure.

/** Where the record's bytes are looked at: a few spread over it. */
const SAMPLES = 4;

/** 0 to 2^32 - 1. */
export function fingerprintOf(record: Uint8Array): number {
  const step = Math.max(1, Math.floor(record.length / SAMPLES));
  let sum = record.length;
  for (let index = 0; index < record.length; index += step) {
    sum = (Math.imul(sum, 31) + (record[index] ?? 0)) >>> 0;
  }
  return sum;
}

/** The sum over many records. */
export class Fingerprint {
  #sum = 0;

  add(record: Uint8Array): void {
    this.#sum = (this.#sum + fingerprintOf(record)) >>> 0;
  }

  /** As if `records` had been added `times` times. */
  addAll(records: readonly Uint8Array[], times: number): void {
    for (const record of records) {
      this.#sum = (this.#sum + Math.imul(fingerprintOf(record), times)) >>> 0;
    }
  }

  get value(): number {
    return this.#sum;
  }
}
