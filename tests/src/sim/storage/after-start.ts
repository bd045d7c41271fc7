// What must hold when a data directory was opened: every log that was promised is there, with all that was promised and
// nothing else, and it answers every question as the model does. The model then takes over what the start made of the rest.

import { type Log, parseLogConfig } from "@millrace/storage";
import { finishCreation } from "./administration.js";
import { COMPACTED_TOPIC } from "./compacted-logs.js";
import {
  checkEpochs,
  checkRetries,
  checkTimestamps,
  isEqual,
  isError,
  joined,
  readWhole,
} from "./compare.js";
import type { Life } from "./life.js";
import type { ModelBatch, ModelLog } from "./model-log.js";

export async function checkAfterStart(life: Life, models: Map<string, ModelLog>): Promise<void> {
  for (const log of life.manager.logs()) {
    if (log.topic !== COMPACTED_TOPIC && !models.has(`${log.topic}-${log.partition}`)) {
      throw new Error(`${log.topic}-${log.partition} was deleted and is back`);
    }
  }
  for (const model of [...models.values()]) {
    const log = life.manager.getLog(model.id.topic, model.id.partition);
    if (log === undefined) {
      if (model.state === "present") {
        throw model.violation("the log is gone");
      }
      models.delete(model.name);
      continue;
    }
    checkIdentity(model, log);
    model.isBusy = false;
    // Without a file, and without the log start, it may as well have lost all of them.
    const mayBeGone = model.isStartLost && log.state === "quarantined" && log.sizeBytes === 0;
    const isEmpty = log.logEndOffset === log.logStartOffset;
    if (model.newStart !== undefined && (isEmpty || mayBeGone)) {
      // It had begun anew, or become empty on the way.
      takeOverEmpty(model, log);
    }
    model.newStart = undefined;
    if (model.isJournalLost && log.state === "quarantined" && !model.isDamaged) {
      model.isDamaged = true;
      model.damage = "what was only in the commit journal";
      life.tally.count("quarantined without the commit journal");
    }
    model.isJournalLost = false;
    await (model.isDamaged ? checkDamaged(life, model, log) : checkHealthy(life, model, log));
    model.state = "creating";
    await finishCreation(life, model);
    // A log of no known id gets its own back with that.
    model.isIdLost &&= log.isTopicIdLost;
    model.state = "present";
  }
}

/** It is empty where it was to begin, or where it began before; then what is damaged of it is gone, and its word may stay. */
function takeOverEmpty(model: ModelLog, { logEndOffset, logStartOffset, state }: Log): void {
  const isOld =
    model.isStartLost || (logStartOffset >= model.start && logStartOffset <= model.startMax);
  if (logStartOffset !== model.newStart && !isOld) {
    throw model.violation(
      `it was to start anew at ${model.newStart}, it is empty at ${logStartOffset}`,
    );
  }
  const { damage, isDamaged, isStartLost } = model;
  model.startedAnew(logEndOffset);
  model.moveProducers();
  if ((isDamaged || isStartLost) && state === "quarantined") {
    model.isDamaged = true;
    model.damage = damage;
  }
}

function checkIdentity(model: ModelLog, log: Log): void {
  const mayBeLost = model.state === "creating" || model.isIdLost;
  if (log.topicId !== model.id.topicId && !(mayBeLost && log.isTopicIdLost)) {
    throw model.violation(`its topic id is ${log.topicId}, not ${model.id.topicId}`);
  }
}

async function checkHealthy(life: Life, model: ModelLog, log: Log): Promise<void> {
  if (log.state !== "online") {
    throw model.violation(`it is ${log.state}: ${log.damage}`);
  }
  const end = checkMarks(model, log);
  if (!model.isBoundary(end) && end !== log.logStartOffset) {
    throw model.violation(`it ends at ${end}, within a batch`);
  }
  takeOver(model, log);
  log.updateConfig(parseLogConfig(model.entries));
  life.tally.read += await readWhole(model, log, life.random);
  await checkTimestamps(model, log, life.random);
  checkEpochs(model, log);
  life.tally.count("retries of the last five", checkRetries(model, log));
}

/** Returns the log end. */
function checkMarks(model: ModelLog, log: Log): number {
  const { logStartOffset, logEndOffset, flushedOffset, recoveryPoint } = log;
  const floor = Math.max(model.promised, model.promisedOnKill);
  if (logEndOffset < floor) {
    throw model.violation(`it ends at ${logEndOffset}, ${floor} was promised`);
  }
  if (logEndOffset > model.end && logEndOffset > model.startMax) {
    throw model.violation(`it ends at ${logEndOffset}, beyond all that was appended`);
  }
  if (flushedOffset !== logEndOffset || recoveryPoint !== logEndOffset) {
    throw model.violation(`it starts with ${flushedOffset} of ${logEndOffset} flushed`);
  }
  const isStartRight = model.isStartLost || logStartOffset >= model.start;
  if (!isStartRight || logStartOffset > Math.max(model.start, model.startMax)) {
    throw model.violation(
      `it starts at ${logStartOffset}, not ${model.start} to ${model.startMax}`,
    );
  }
  return logEndOffset;
}

/** From here on the model says what the start has found. */
function takeOver(model: ModelLog, log: Log): void {
  const end = log.logEndOffset;
  if (end !== model.end) {
    model.cutTo(end);
    model.end = end;
    // Nothing is left: what a snapshot still knows about the producers is not to be foreseen.
    if (end === log.logStartOffset) {
      model.moveProducers();
    }
  }
  model.cap = Number.POSITIVE_INFINITY;
  model.start = log.logStartOffset;
  model.startMax = log.logStartOffset;
  model.isStartLost = false;
  model.promise(end, true);
  model.landed = log.recoveryPoint;
  model.epoch = Math.max(0, log.latestEpoch, model.epoch);
  for (const batch of model.batches) {
    batch.fate = "acknowledged";
  }
}

/**
 * A log that was damaged on purpose: what is undamaged is served as it was written, what is damaged is not served at all,
 * and once that was noticed nothing is appended any more.
 */
async function checkDamaged(life: Life, model: ModelLog, log: Log): Promise<void> {
  const { logEndOffset } = log;
  const first = model.batches.find((batch) => batch.isDamaged);
  if (log.state === "online" && first !== undefined && logEndOffset <= first.baseOffset) {
    // A torn tail, as far as anybody could tell.
    life.tally.count("damage cut as a torn tail");
    model.isDamaged = false;
    model.damage = "";
    await checkHealthy(life, model, log);
    return;
  }
  const floor = Math.max(model.promised, model.promisedOnKill);
  if (logEndOffset < floor || logEndOffset > model.end) {
    throw model.violation(`it ends at ${logEndOffset}, not ${floor} to ${model.end}`);
  }
  await checkBatches(life, model, log);
  if (log.state === "online" && first !== undefined && !first.isDamaged) {
    model.isDamaged = false;
    model.damage = "";
    await checkHealthy(life, model, log);
    return;
  }
  // What is damaged before the log start is never read.
  const isReachable = first?.isDamaged === true && first.baseOffset >= log.logStartOffset;
  if (log.state === "quarantined") {
    life.tally.count("quarantined");
  } else if (isReachable) {
    throw model.violation("damage was read and the log is not quarantined");
  }
  takeOverDamaged(model, log);
}

async function checkBatches(life: Life, model: ModelLog, log: Log): Promise<void> {
  const { logEndOffset } = log;
  for (const batch of model.batches) {
    const { baseOffset, lastOffset } = batch;
    if (baseOffset < Math.max(log.logStartOffset, model.start) || lastOffset >= logEndOffset) {
      continue;
    }
    const options = { maxBytes: batch.bytes.length, endOffset: logEndOffset, minOneBatch: true };
    try {
      const slice = await readPastDamage(batch, () => log.read({ ...options, offset: baseOffset }));
      const isServed = slice.sizeBytes > 0;
      if (isServed && !isEqual(joined(slice), batch.bytes)) {
        throw model.violation(`offset ${baseOffset} is served with other bytes`);
      }
      if (isServed && batch.isDamaged) {
        // The start had it elsewhere, too: in the commit journal.
        batch.isDamaged = false;
        life.tally.count("damage healed");
      }
      if (!isServed && !batch.isDamaged) {
        throw model.violation(`offset ${baseOffset} is undamaged and not served`);
      }
      life.tally.count(`undamaged read beside damage`);
    } catch (error) {
      const isRefused = isError(error, "CORRUPT_MESSAGE", "PARTITION_QUARANTINED");
      if (!isRefused) {
        throw error;
      }
      if (!batch.isDamaged && lastOffset < Math.max(model.promised, model.promisedOnKill)) {
        throw model.violation(`offset ${baseOffset} is undamaged and refused: ${error}`);
      }
      life.tally.count("damaged batch refused");
    }
  }
}

/**
 * The way to a batch begins at an index entry, and may lead over a damaged batch that nobody has read yet: one before the log
 * start, say. Who meets damage first is told so, whatever it asked for; Kafka's clients ask again. What is undamaged is
 * known by then, and must be served.
 */
async function readPastDamage<T>(batch: ModelBatch, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (batch.isDamaged || !isError(error, "CORRUPT_MESSAGE")) {
      throw error;
    }
    return await read();
  }
}

function takeOverDamaged(model: ModelLog, log: Log): void {
  model.batches = model.batches.filter((batch) => batch.lastOffset < log.logEndOffset);
  for (const batch of model.batches) {
    batch.fate = "acknowledged";
  }
  model.end = log.logEndOffset;
  model.landed = log.recoveryPoint;
  model.start = Math.max(model.start, log.logStartOffset);
  model.cap = Number.POSITIVE_INFINITY;
}
