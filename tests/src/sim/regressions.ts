// Seeds that once failed, each with what it found. Every `npm test` runs them.

export const brokerRegressions: readonly { seed: number; found: string }[] = [];

/** A change of what a seed draws makes another world of it: then its test in packages/storage is what is left. */
export const storageRegressions: readonly { seed: number; found: string }[] = [
  {
    seed: 7,
    found: "a segment whose name was not made durable by the start that went on with it",
  },
];
