// The actor that changes logs in other ways than by appending: deletes records, applies retention, truncates, changes
// configurations, deletes topics and makes them anew. One such operation per log at a time.

import { randomUuid } from "@millrace/runtime";
import { parseLogConfig } from "@millrace/storage";
import { isError } from "./compare.js";
import { epochAfterCut } from "./epochs.js";
import { followAnotherLeader, startAnew } from "./follower.js";
import { drawEntries } from "./hazards.js";
import type { Life, OpenLog } from "./life.js";
import { ModelLog } from "./model-log.js";
import { excuse } from "./reads.js";

/** More than is appended while an operation waits for its turn. */
const BEYOND = 1_000_000;

type Change = (life: Life, open: OpenLog) => Promise<void>;

export async function administrator(life: Life, models: Map<string, ModelLog>): Promise<void> {
  const changes: readonly Change[] = [
    deleteRecords,
    deleteRecords,
    retain,
    retain,
    truncate,
    followAnotherLeader,
    startAnew,
    configure,
    (_, open) => recreate(life, open, models),
  ];
  while (!life.isEnding) {
    const open = life.pick();
    const change = changes[life.random.below(changes.length)];
    if (open !== undefined && change !== undefined && !open.model.isBusy) {
      const { model } = open;
      model.isBusy = true;
      life.changing++;
      await change(life, open)
        .catch((error: unknown) => excuse(life, open, error))
        .finally(() => {
          life.changing--;
          model.isBusy = false;
        });
    }
    await life.pause();
    await life.pause();
  }
}

async function deleteRecords(life: Life, { model, log }: OpenLog): Promise<void> {
  const { logStartOffset, flushedOffset } = log;
  if (model.isDamaged) {
    return;
  }
  if (life.random.float() < 0.1) {
    const beyond = await log.deleteRecordsBefore(log.logEndOffset + BEYOND).catch((error) => error);
    if (!life.isDead({ model, log }) && !isError(beyond, "OFFSET_OUT_OF_RANGE")) {
      throw model.violation("records beyond the end could be deleted");
    }
    return;
  }
  const offset = logStartOffset + life.random.below(flushedOffset - logStartOffset + 1);
  model.startMax = Math.max(model.startMax, offset);
  await log.deleteRecordsBefore(offset);
  if (!life.isDead({ model, log })) {
    model.start = offset;
    if (log.logStartOffset !== offset) {
      throw model.violation(
        `records before ${offset} were deleted, ${log.logStartOffset} is the start`,
      );
    }
  }
}

async function retain(life: Life, { model, log }: OpenLog): Promise<void> {
  if (model.isDamaged) {
    return;
  }
  const nowMs = life.runtime.clock.nowMs() + life.random.below(25_000);
  const before = log.logStartOffset;
  const startMax = Math.max(model.startMax, before);
  model.startMax = Number.POSITIVE_INFINITY;
  const removed = await log.applyRetention(nowMs);
  if (life.isDead({ model, log })) {
    return;
  }
  const start = log.logStartOffset;
  for (const batch of model.batches) {
    if (batch.lastOffset >= before && batch.lastOffset < start) {
      assertRemovable(model, batch.lastOffset + 1, nowMs);
    }
  }
  // When nothing was removed, the start may still be one that could not be stored before.
  model.start = removed > 0 ? start : model.start;
  model.startMax = Math.max(startMax, start);
}

/** Whether retention may remove the batch that ends at `endOffset`. */
function assertRemovable(model: ModelLog, endOffset: number, nowMs: number): void {
  const retentionMs = Number(model.entries["retention.ms"]);
  const retentionBytes = Number(model.entries["retention.bytes"]);
  const batch = model.batchAt(endOffset - 1);
  const newest = Math.max(-1, ...(batch?.timestamps ?? []));
  // Without a timestamp the time of the write counts, which was in this run.
  const isExpired = retentionMs >= 0 && (newest < 0 || nowMs - newest > retentionMs);
  const behind = model.batches
    .filter((other) => other.baseOffset >= endOffset)
    .reduce((sum, other) => sum + other.bytes.length, 0);
  const isExcess = retentionBytes >= 0 && behind >= retentionBytes;
  if (!isExpired && !isExcess) {
    throw model.violation(`retention removed offset ${endOffset - 1}, which it must keep`);
  }
}

async function truncate(life: Life, open: OpenLog): Promise<void> {
  const { model, log } = open;
  const { random } = life;
  const { logStartOffset, logEndOffset } = log;
  if (model.isDamaged || logEndOffset < logStartOffset) {
    return;
  }
  model.discardBehind(logEndOffset);
  const byEpoch =
    random.float() < 0.3 ? log.endOffsetForEpoch(random.below(model.epoch + 1)) : undefined;
  const anywhere = logStartOffset + random.below(logEndOffset - logStartOffset + 1);
  const offset = Math.max(
    logStartOffset,
    byEpoch === undefined || byEpoch.endOffset < 0 ? anywhere : byEpoch.endOffset,
  );
  const boundary = model.boundary(offset);
  const floor = Math.min(boundary, model.promisedOnKill);
  model.truncating(offset);
  await log.truncateTo(offset);
  if (life.isDead(open)) {
    return;
  }
  const end = log.logEndOffset;
  if (end > boundary || end < floor || !(end === boundary || model.isBoundary(end))) {
    throw model.violation(
      `truncated to ${offset}, which should leave ${floor} to ${boundary}; it ends at ${end}`,
    );
  }
  model.cutTo(end);
  model.epoch = epochAfterCut(life, model);
}

async function configure(life: Life, { model, log }: OpenLog): Promise<void> {
  model.entries = drawEntries(life.random);
  log.updateConfig(parseLogConfig(model.entries));
}

async function recreate(
  life: Life,
  { model, log }: OpenLog,
  models: Map<string, ModelLog>,
): Promise<void> {
  if (life.random.float() < 0.4 && !model.isDamaged) {
    return;
  }
  model.state = "deleting";
  life.logs.delete(model.name);
  await life.manager.deleteLog(log);
  if (life.isOver) {
    return;
  }
  models.delete(model.name);
  if (life.random.float() < 0.7) {
    await create(life, models, model.id);
  }
}

/** A topic of that name, with an id of its own. */
export async function create(
  life: Life,
  models: Map<string, ModelLog>,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Promise<void> {
  const entries = drawEntries(life.random);
  const topicId = randomUuid(life.random);
  const model = new ModelLog({ topic, partition, topicId }, entries);
  models.set(model.name, model);
  await finishCreation(life, model);
}

export async function finishCreation(life: Life, model: ModelLog): Promise<void> {
  try {
    const log = await life.manager.createLog(model.id, parseLogConfig(model.entries));
    if (!life.isOver) {
      model.state = "present";
      life.logs.set(model.name, { model, log });
    }
  } catch (error) {
    const isFull = isError(error, "STORAGE_FULL") && (life.hazards.storage.reserveBytes ?? 0) > 0;
    const isFault = isError(error, "KAFKA_STORAGE_ERROR", "STORAGE_FULL") || isFileError(error);
    if (!life.isOver && !isFull && !(life.hasTrouble && isFault)) {
      throw error;
    }
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && error.name === "FileError";
}
