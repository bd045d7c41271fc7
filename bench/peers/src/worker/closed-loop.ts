// The closed loop: a bounded number of operations on their way at any time, the next as soon as one is done.

/** Milliseconds of each operation; grows by doubling, without one object per sample. */
export class Samples {
  #values = new Float64Array(1024);
  #length = 0;

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  get values(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }
}

export interface LoopOptions {
  readonly width: number;
  /** Nothing new is begun after this many seconds; what is on its way is awaited. */
  readonly seconds: number;
  /** But so many operations are, whatever the time. */
  readonly operationsMin?: number;
  /** Nor is anything begun after this many operations. */
  readonly operationsMax?: number;
  readonly samples?: Samples;
}

/** @returns operations done. Rejects with the first failure, once every lane has stopped. */
export async function closedLoop(
  operation: (lane: number, index: number) => Promise<unknown>,
  options: LoopOptions,
): Promise<number> {
  const { width, seconds, samples } = options;
  const { operationsMin = 0, operationsMax = Number.POSITIVE_INFINITY } = options;
  const end = performance.now() + seconds * 1000;
  let begun = 0;
  let done = 0;
  let isFailed = false;
  const isOver = (now: number): boolean =>
    isFailed || begun >= operationsMax || (now >= end && begun >= operationsMin);
  const lane = async (number: number): Promise<void> => {
    for (let now = performance.now(); !isOver(now); ) {
      await operation(number, begun++);
      const after = performance.now();
      samples?.add(after - now);
      now = after;
      done++;
    }
  };
  const lanes = Array.from({ length: width }, (_, number) =>
    lane(number).catch((error: unknown) => {
      isFailed = true;
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(lanes);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) {
    throw failure.reason;
  }
  return done;
}
