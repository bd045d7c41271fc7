// Compacted logs in the world of a seed: an actor that appends keyed records, cleans, and applies retention, while crashes
// and faults strike at each step; and what must hold of them at every start. They have actors of their own, because byte
// for byte comparisons say nothing about batches that were cleaned.

import { batchHeaders, RecordBatchBuilder, readBatch } from "@millrace/protocol";
import { type Random, randomUuid } from "@millrace/runtime";
import { type Log, parseLogConfig } from "@millrace/storage";
import { CompactedModel, type KeyedRecord } from "./compacted-model.js";
import { isError, joined } from "./compare.js";
import type { Life } from "./life.js";

export const COMPACTED_TOPIC = "c";
const KEYS = 12;
const DECOMPRESSED_BYTES_MAX = 1 << 20;

export function drawCompacted(random: Random): CompactedModel {
  const deletesToo = random.float() < 0.4;
  const entries = {
    "cleanup.policy": deletesToo ? "compact,delete" : "compact",
    "segment.bytes": String(500 + random.below(3_000)),
    "index.interval.bytes": String(random.below(600)),
    "min.cleanable.dirty.ratio": "0",
    "delete.retention.ms": String(5_000 + random.below(20_000)),
    "file.delete.delay.ms": String(random.below(2) * random.below(20)),
    "retention.ms": deletesToo ? String(5_000 + random.below(20_000)) : "-1",
    flush: random.float() < 0.3 ? "os" : "sync",
  };
  const id = { topic: COMPACTED_TOPIC, partition: 0, topicId: randomUuid(random) };
  return new CompactedModel(id, entries);
}

/** Creates the log, or finds it: all that was promised of it, and what the model says about the rest. */
export async function openCompacted(life: Life, model: CompactedModel): Promise<void> {
  const { topic, partition } = model.id;
  const found = life.manager.getLog(topic, partition);
  if (found === undefined && model.isPresent) {
    throw model.violation("the log is gone");
  }
  if (found !== undefined) {
    await checkFound(life, model, found);
  }
  const config = parseLogConfig(life.entriesOf(model.entries));
  try {
    const log = await life.manager.createLog(model.id, config);
    model.isPresent = true;
    log.updateConfig(config);
    life.compacted = { model, log };
  } catch (error) {
    const isFault = isError(error, "KAFKA_STORAGE_ERROR", "STORAGE_FULL");
    const isFull = isFault && (life.hazards.storage.reserveBytes ?? 0) > 0;
    if (!life.isOver && !isFull && !(life.hasTrouble && isFault)) {
      throw error;
    }
  }
}

async function checkFound(life: Life, model: CompactedModel, log: Log): Promise<void> {
  const { logStartOffset, logEndOffset } = log;
  const floor = Math.max(model.promised, model.promisedOnKill);
  if (log.state !== "online") {
    throw model.violation(`it is ${log.state}: ${log.damage}`);
  }
  if (logEndOffset < floor || logEndOffset > Math.max(model.end, model.startMax)) {
    throw model.violation(`it ends at ${logEndOffset}, not ${floor} to ${model.end}`);
  }
  model.cutTo(logEndOffset);
  model.promise(logEndOffset, true);
  // Without its checkpoint the start falls back to a segment's: never beyond what was asked for.
  if (logStartOffset > model.startMax) {
    throw model.violation(`it starts at ${logStartOffset}, ${model.startMax} was asked for`);
  }
  model.startsAt(logStartOffset);
  await checkContents(life, model, log);
}

/** Everything from the log start to the flushed mark. Nothing may be removed meanwhile. */
async function checkContents(life: Life, model: CompactedModel, log: Log): Promise<void> {
  const endOffset = log.flushedOffset;
  const served = await recordsOf(life, log, endOffset);
  if (served !== undefined && !life.isOver && log.state === "online") {
    model.check(served, endOffset);
    life.tally.read += served.length;
    life.tally.count("compacted log compared");
  }
}

async function recordsOf(
  life: Life,
  log: Log,
  endOffset: number,
): Promise<KeyedRecord[] | undefined> {
  const { compute } = life.runtime;
  const decoder = new TextDecoder();
  const records: KeyedRecord[] = [];
  let offset = log.logStartOffset;
  while (offset < endOffset) {
    const question = { offset, endOffset, maxBytes: 1 + life.random.below(4_000) };
    const slice = await log.read({ ...question, minOneBatch: true });
    const bytes = joined(slice);
    for (const { position, header } of batchHeaders(bytes)) {
      if (header.baseOffset > offset || header.lastOffset < offset) {
        throw new Error(`offset ${header.baseOffset} is served where ${offset} is next`);
      }
      const options = { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
      for (const record of await readBatch(bytes, position, options)) {
        if (record.offset >= log.logStartOffset) {
          const { offset: at, timestamp, key, value } = record;
          const text = value === null ? null : decoder.decode(value);
          records.push({
            offset: at,
            key: decoder.decode(key ?? undefined),
            value: text,
            timestamp,
          });
        }
      }
      offset = header.lastOffset + 1;
    }
    if (slice.sizeBytes === 0) {
      return undefined;
    }
  }
  return records;
}

export async function compactor(life: Life): Promise<void> {
  while (!life.isEnding) {
    const open = life.compacted;
    if (open !== undefined && open.log.state === "online") {
      life.changing++;
      await change(life, open)
        .catch((error: unknown) => {
          const isFault = isError(error, "KAFKA_STORAGE_ERROR", "STORAGE_FULL");
          if (!life.isOver && open.log.state !== "offline" && !(isFault && life.hasTrouble)) {
            throw error;
          }
        })
        .finally(() => {
          life.changing--;
        });
    }
    await life.pause();
  }
}

type OpenCompacted = NonNullable<Life["compacted"]>;

async function change(life: Life, open: OpenCompacted): Promise<void> {
  const { random } = life;
  const kind = random.float();
  if (kind < 0.7) {
    await appendSome(life, open);
  } else if (kind < 0.9) {
    const cleaning = clean(life);
    // What is appended meanwhile must not matter.
    await appendSome(life, open);
    await cleaning;
    await settled(life, open);
  } else if (open.model.entries["cleanup.policy"] !== "compact") {
    await retain(life, open);
  }
}

async function clean(life: Life): Promise<void> {
  const { random, manager, compacted } = life;
  const nowMs = life.runtime.clock.nowMs() + random.below(40_000);
  compacted?.model.cleaning(nowMs);
  const dedupeBufferBytes = [60, 400, 100_000][random.below(3)] ?? 400;
  try {
    const reports = await manager.cleaner.clean({ nowMs, dedupeBufferBytes });
    if (!life.isOver) {
      life.tally.count("cleaning pass", reports.length);
    }
  } finally {
    compacted?.model.cleaned();
  }
}

async function settled(life: Life, { model, log }: OpenCompacted): Promise<void> {
  if (!life.isOver && log.state === "online") {
    model.cutTo(Math.min(model.end, log.logEndOffset));
    await checkContents(life, model, log);
  }
}

async function retain(life: Life, { model, log }: OpenCompacted): Promise<void> {
  const nowMs = life.runtime.clock.nowMs() + life.random.below(30_000);
  model.startMax = Number.POSITIVE_INFINITY;
  await log.applyRetention(nowMs);
  if (!life.isOver && log.state === "online") {
    model.retained(log.logStartOffset, nowMs);
  }
}

async function appendSome(life: Life, { model, log }: OpenCompacted): Promise<void> {
  for (let count = 1 + life.random.below(6); count > 0; count--) {
    const records = drawRecords(life);
    const bytes = await build(life, records);
    if (life.isOver || log.state !== "online") {
      return;
    }
    model.cutTo(Math.min(model.end, log.logEndOffset));
    const outcome = log.append(bytes, { leaderEpoch: 0, isBorrowed: true });
    bytes.fill(0xee);
    if (!outcome.ok) {
      if (outcome.error !== "STORAGE_FULL" && outcome.error !== "RECORD_LIST_TOO_LARGE") {
        throw model.violation(`an append was refused: ${outcome.error}, ${outcome.message}`);
      }
      return;
    }
    const { baseOffset, lastOffset } = outcome;
    model.took(records.map((record, index) => ({ ...record, offset: baseOffset + index })));
    try {
      const isFsynced = await log.whenFlushed(lastOffset);
      if (!life.isOver && log.state === "online") {
        life.tally.acknowledged++;
        model.promise(lastOffset + 1, isFsynced);
      }
    } catch (error) {
      // Of a log that failed, or was closed, nothing is known; one that goes on has taken the batch back.
      if (!life.isOver && log.state === "online") {
        model.cutTo(Math.min(model.end, baseOffset));
      }
      throw error;
    }
  }
}

type NewRecord = Omit<KeyedRecord, "offset">;

function drawRecords({ random, runtime }: Life): NewRecord[] {
  const nowMs = runtime.clock.nowMs();
  return Array.from({ length: 1 + random.below(4) }, () => ({
    key: `k${random.below(KEYS)}`,
    value: random.float() < 0.25 ? null : `${random.below(2 ** 31)}`.padEnd(random.below(60), "."),
    timestamp: nowMs - random.below(5_000),
  }));
}

async function build(life: Life, records: readonly NewRecord[]): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder({ initialBytes: 256 });
  for (const { key, value, timestamp } of records) {
    builder.append({ key, value, timestamp });
  }
  const { compute } = life.runtime;
  const options = { producerId: -1, producerEpoch: -1, baseSequence: -1, compute };
  return life.random.float() < life.hazards.compressedShare
    ? await builder.buildCompressed({ ...options, codec: "snappy" })
    : builder.build(options);
}
