// Waiting for something that will happen, without guessing how long it takes.

const INTERVAL_MS = 10;
/** Far beyond what a busy machine needs; reached only when it never happens. */
const TIMEOUT_MS = 20_000;

export const pauseMs = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const endMs = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (Date.now() > endMs) {
      throw new Error(`waited in vain for ${what}`);
    }
    await pauseMs(INTERVAL_MS);
  }
}
