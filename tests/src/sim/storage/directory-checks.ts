// What must hold of a data directory as a whole: the tool that only looks agrees with the model, a clean stop is honoured,
// and damage that a start has found is written down.

import type { SimNode } from "@millrace/runtime/sim";
import { type Finding, verifyDirectory } from "@millrace/storage";
import { isMarked } from "./damage.js";
import type { Life } from "./life.js";
import type { ModelLog } from "./model-log.js";

/** The scrubber begins after a minute; it is fast enough for all that a seed writes. */
const SCRUB_MS = 65_000;

export interface CheckedDirectory {
  readonly node: SimNode;
  readonly path: string;
  readonly models: ReadonlyMap<string, ModelLog>;
}

/** @param isExcused whether a finding is explained by what happened since the last start */
export async function checkVerification(
  { node, path, models }: CheckedDirectory,
  isExcused: (finding: Finding) => boolean,
): Promise<void> {
  const { fileSystem, compute } = node.runtime();
  if (!node.disk.paths().some((one) => one.startsWith(path))) {
    return;
  }
  const hasDamage = [...models.values()].some((model) => model.isDamaged);
  for await (const item of verifyDirectory(fileSystem, path, { compute })) {
    if (item.kind === "finding" && !hasDamage && !isExcused(item.finding)) {
      const { severity, path: where, problem } = item.finding;
      throw new Error(`verify finds ${severity} in ${where}: ${problem}`);
    }
  }
}

/** Not for a start that had trouble with its disk: that may have had no room for it. */
export function checkMarkers(life: Life, { node, models }: CheckedDirectory): void {
  for (const model of models.values()) {
    const { topic, partition } = model.id;
    const isQuarantined = life.manager.getLog(topic, partition)?.state === "quarantined";
    if (isQuarantined && !isMarked(model, node.disk)) {
      throw model.violation("it is quarantined, and the next start may not know");
    }
  }
}

/** A start behind a clean stop need not read the logs themselves at all. */
export function checkQuickStart(
  life: Life,
  { models }: CheckedDirectory,
  logBytesRead: number,
): void {
  const isQuarantined = [...models.values()].some((model) => model.isDamaged);
  if (!life.manager.wasCleanShutdown) {
    throw new Error("a clean stop was forgotten");
  }
  if (!isQuarantined && logBytesRead > 0) {
    throw new Error(`a start after a clean stop read ${logBytesRead} bytes of logs`);
  }
}

/** The scrubber, left alone for a while, has verified everything and found damage only where there is some. */
export async function checkScrubbed(life: Life, { models }: CheckedDirectory): Promise<void> {
  if ((life.hazards.storage.scrubBytesPerSecond ?? 0) === 0) {
    return;
  }
  await life.simulation.sleep(SCRUB_MS);
  const { passes, damages } = life.manager.scrubTotals;
  const mayFind = [...models.values()].some((model) => model.isDamaged);
  if (passes === 0 || (damages > 0 && !mayFind)) {
    throw new Error(`the scrubber made ${passes} passes and found ${damages} damages`);
  }
  life.tally.count("scrubbed");
}
