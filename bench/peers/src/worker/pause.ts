// Waiting with a bound: every wait of a client process ends, by its event or by an error that says what was waited for.

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when `isReached` says so, asked often; rejects with `what` after `timeoutMs`. */
export async function until(
  isReached: () => boolean,
  { timeoutMs, what }: { timeoutMs: number; what: () => string },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!isReached()) {
    if (performance.now() > deadline) {
      throw new Error(`gave up after ${timeoutMs / 1000} s: ${what()}`);
    }
    await pause(2);
  }
}
