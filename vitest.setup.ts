// Property tests draw the same cases in every run, so that a run which fails here fails everywhere, and one that passed
// passes again. `MILLRACE_PROPERTY_SEED=random npm test` draws others, a number those of that seed; what they find
// becomes a test of its own. A failure prints its seed and the smallest counterexample.

import fc from "fast-check";

const DEFAULT_SEED = 20_261_121;

// biome-ignore lint/suspicious/noUndeclaredEnvVars: vitest does not run through turbo.
const wanted = process.env["MILLRACE_PROPERTY_SEED"];
if (wanted !== "random") {
  const seed = wanted === undefined ? DEFAULT_SEED : Number(wanted);
  if (!Number.isSafeInteger(seed)) {
    throw new Error(
      `MILLRACE_PROPERTY_SEED is "${wanted}": set it to an integer, or to "random", or leave it out`,
    );
  }
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
