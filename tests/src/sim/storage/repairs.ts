// An operator who repairs logs while the broker is down: what `millrace log repair` would give up is what was damaged and
// nothing else, it gives up just that, and after a kill on the way it can be repeated. The model then has placeholders there.

import { batchHeaders } from "@millrace/protocol";
import type { Random, ServerRuntime } from "@millrace/runtime";
import type { SimNode } from "@millrace/runtime/sim";
import { type RepairedRange, type RepairReport, repairLog } from "@millrace/storage";
import type { Tally } from "./life.js";
import type { ModelBatch, ModelLog } from "./model-log.js";
import { armCrash } from "./trouble.js";

export interface RepairTools {
  readonly node: SimNode;
  /** The data directory. */
  readonly path: string;
  readonly random: Random;
  readonly tally: Tally;
  /** The operator's process. */
  start(): ServerRuntime;
}

/** Looks at one log that should be in order, and repairs some of those that are not. Returns whether files changed. */
export async function repairSome(
  tools: RepairTools,
  models: ReadonlyMap<string, ModelLog>,
): Promise<boolean> {
  const { node, random } = tools;
  const present = [...models.values()].filter(({ state }) => state === "present");
  const looked = present[random.below(Math.max(1, present.length))];
  const due = present.filter(({ isDamaged }) => isDamaged && random.float() < 0.5);
  if (looked !== undefined && !looked.isDamaged) {
    checkPlan(looked, await run(tools, looked, false));
    tools.tally.count("nothing to repair");
  }
  for (const model of due) {
    await repair(tools, model);
  }
  if (node.isRunning) {
    node.crash({});
  }
  return due.length > 0;
}

async function run(
  { path, start }: RepairTools,
  { id }: ModelLog,
  apply: boolean,
): Promise<RepairReport> {
  const { partition, topic } = id;
  return await repairLog({ runtime: start(), path, topic, partition, apply });
}

async function repair(tools: RepairTools, model: ModelLog): Promise<void> {
  const { node, random, tally } = tools;
  const plan = await run(tools, model, false);
  checkPlan(model, plan);
  if (random.float() < 0.4) {
    await interrupted(tools, model);
  }
  const report = await run(tools, model, true);
  const isWhole = report.ranges.length === plan.ranges.length;
  tally.count(isWhole ? "repaired at once" : "repaired in two goes");
  for (const range of plan.ranges) {
    replace(model, range, placeholderIn(node, model, range));
  }
  tally.count("damaged range given up", plan.ranges.length);
  model.version++;
  if (!model.batches.some(({ isDamaged }) => isDamaged)) {
    model.isDamaged = false;
    model.damage = "";
  }
}

/** The operator's process is killed at some operation, or is done before. */
async function interrupted(tools: RepairTools, model: ModelLog): Promise<void> {
  const { node, random, tally } = tools;
  let stop = (): void => undefined;
  const killed = new Promise<void>((resolve) => {
    stop = armCrash(node, random, () => {
      node.crash({});
      tally.count("repair killed");
      resolve();
    });
  });
  await Promise.race([run(tools, model, true), killed]);
  stop();
}

/** Every range is made of damaged batches, and of whole ones. */
function checkPlan(model: ModelLog, { ranges }: RepairReport): void {
  for (const { firstOffset, lastOffset, problem } of ranges) {
    const hit = within(model, firstOffset, lastOffset);
    const undamaged = hit.find(({ isDamaged }) => !isDamaged);
    const isWhole = hit[0]?.baseOffset === firstOffset && hit.at(-1)?.lastOffset === lastOffset;
    if (undamaged !== undefined || !isWhole) {
      throw model.violation(
        `a repair would give up ${firstOffset} to ${lastOffset} (${problem}), which is not damaged`,
      );
    }
  }
}

function within({ batches }: ModelLog, first: number, last: number): ModelBatch[] {
  return batches.filter(({ baseOffset, lastOffset }) => lastOffset >= first && baseOffset <= last);
}

/** The batch that stands on the disk for what was given up. */
function placeholderIn(node: SimNode, model: ModelLog, range: RepairedRange): ModelBatch {
  const { firstOffset, lastOffset, segment } = range;
  const path = node.disk.paths().find((one) => one.endsWith(`/${model.name}/${segment}`));
  const bytes = path === undefined ? new Uint8Array(0) : node.disk.peek(path);
  for (const { position, header } of batchHeaders(bytes)) {
    if (header.baseOffset === firstOffset) {
      if (header.lastOffset !== lastOffset || header.recordCount !== 0) {
        break;
      }
      const { leaderEpoch: epoch, producerId, producerEpoch, baseSequence, lastSequence } = header;
      return {
        baseOffset: firstOffset,
        lastOffset,
        bytes: bytes.slice(position, position + header.sizeBytes),
        epoch,
        producerId,
        producerEpoch,
        baseSequence,
        lastSequence,
        timestamps: [],
        fate: "acknowledged",
        isDamaged: false,
      };
    }
  }
  throw model.violation(`nothing stands for ${firstOffset} to ${lastOffset} after a repair`);
}

/** What snapshots still know about the producers of what is gone is not to be foreseen. */
function replace(model: ModelLog, range: RepairedRange, placeholder: ModelBatch): void {
  const gone = within(model, range.firstOffset, range.lastOffset);
  const producers = new Set(gone.map(({ producerId }) => producerId));
  const at = model.batches.indexOf(gone[0] as ModelBatch);
  model.batches = model.batches
    .toSpliced(at, gone.length, placeholder)
    .map((batch) => (producers.has(batch.producerId) ? { ...batch, producerId: -1 } : batch));
  model.moveProducers();
}
