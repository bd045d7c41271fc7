// Seeds that once failed, each with what it found. Every `npm test` runs them.

export const brokerRegressions: readonly { seed: number; found: string }[] = [];

export const storageRegressions: readonly { seed: number; found: string }[] = [
  {
    seed: 187,
    found: "files before the log start, taken for damage when the start was lost after a power cut",
  },
];
