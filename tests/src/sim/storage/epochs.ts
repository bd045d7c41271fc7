// Leader epochs as the actors draw them.

import type { Life } from "./life.js";
import type { ModelLog } from "./model-log.js";

/** What a leader appends with after the end was cut: the epoch of what is left, or a new one. */
export function epochAfterCut(life: Life, model: ModelLog): number {
  const left = Math.max(0, model.batches.at(-1)?.epoch ?? 0);
  return life.random.float() < 0.5 ? left : model.epoch + 1;
}
