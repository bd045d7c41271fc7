// The two ways in which compressed bytes are refused, said alike by every codec.

import { ComputeError } from "../compute.js";

export const tooLarge = (maxBytes: number): ComputeError =>
  new ComputeError("TOO_LARGE", `the decompressed bytes exceed ${maxBytes}`);

export const malformed = (problem: string, cause?: unknown): ComputeError =>
  new ComputeError("MALFORMED", problem, cause === undefined ? {} : { cause });
