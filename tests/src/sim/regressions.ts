// Seeds that once failed, each with what it found. Every `npm test` runs them.

export const brokerRegressions: readonly { seed: number; found: string }[] = [];

export const storageRegressions: readonly { seed: number; found: string }[] = [];
