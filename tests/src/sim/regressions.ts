// Seeds that once failed, each with what it found. Every `npm test` runs them.

export const brokerRegressions: readonly { seed: number; found: string }[] = [];

/**
 * A change of what seeds draw makes other worlds of them, and an entry from before it proves nothing any more: it goes, and
 * the bug's own test in packages/storage stays.
 */
export const storageRegressions: readonly { seed: number; found: string }[] = [];
