// The record of a run: a running hash over everything that happens, so that two runs of one seed can be
// compared to the event, and on request one line of text per event.

const hex8 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");

/** Bytes hashed of one payload: short ones whole, long ones sampled evenly. */
const sampleLimit = 256;

export interface TraceLine {
  readonly at: number;
  readonly owner: string;
  readonly kind: string;
  readonly label: string;
  readonly amount: number;
}

export class Trace {
  readonly #log: ((line: string) => void) | undefined;
  readonly #textHashes = new Map<string, number>();
  #first = 0x811c9dc5 | 0;
  #second = 0x9e3779b9 | 0;

  constructor(log: ((line: string) => void) | undefined) {
    this.#log = log;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex8(this.#first) + hex8(this.#second);
  }

  record(line: TraceLine): void {
    this.number(line.at * 1024);
    this.text(line.owner);
    this.text(line.kind);
    this.text(line.label);
    this.number(line.amount);
    if (this.#log !== undefined) {
      const amount = line.amount === 0 ? "" : String(line.amount);
      this.#log(
        `${line.at.toFixed(3).padStart(12)} ${line.owner.padEnd(12)} ${line.kind.padEnd(14)} ${amount.padStart(8)} ${line.label}`.trimEnd(),
      );
    }
  }

  number(value: number): void {
    this.#mix(value | 0);
    this.#mix((value / 2 ** 32) | 0);
  }

  text(text: string): void {
    let hash = this.#textHashes.get(text);
    if (hash === undefined) {
      hash = 0x811c9dc5 | 0;
      for (let index = 0; index < text.length; index++) {
        hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
      }
      // Bounded: texts are kinds, names and paths; paths of a long run are many.
      if (this.#textHashes.size < 4096) {
        this.#textHashes.set(text, hash);
      }
    }
    this.#mix(hash);
  }

  bytes(bytes: Uint8Array): void {
    const stride = Math.max(1, Math.floor(bytes.length / sampleLimit));
    let hash = bytes.length | 0;
    for (let index = 0; index < bytes.length; index += stride) {
      hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193);
    }
    this.#mix(hash);
  }

  #mix(word: number): void {
    this.#first = Math.imul(this.#first ^ word, 0x85ebca6b);
    this.#first ^= this.#first >>> 13;
    this.#second = Math.imul((this.#second + word) | 0, 0xc2b2ae35);
    this.#second ^= this.#second >>> 16;
  }
}
