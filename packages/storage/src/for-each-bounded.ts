// Doing the same to many things, a few at a time.

/** Calls `work` for every item, at most `atOnceMax` at once. Rejects with the first fault, after all that began has ended. */
export async function forEachBounded<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  let isBroken = false;
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      if (isBroken) {
        return;
      }
      try {
        await work(item);
      } catch (error) {
        isBroken = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(atOnceMax, items.length) }, lane);
  for (const outcome of await Promise.allSettled(lanes)) {
    if (outcome.status === "rejected") {
      throw outcome.reason;
    }
  }
}
