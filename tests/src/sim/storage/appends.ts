// Actors that write: batches of several producers, retries among them, each answer held against the model.

import { patchBatchPosition, readBatchHeader } from "@millrace/protocol";
import type { AppendOutcome } from "@millrace/storage";
import { buildBatch, drawTimestamps, joinBytes, modelBatch } from "./batches.js";
import { checkRetry } from "./compare.js";
import { refuseConfused } from "./follower.js";
import type { Life, OpenLog } from "./life.js";
import type { ModelBatch, ModelLog } from "./model-log.js";

const BURST_MAX = 5;
const PRODUCERS = 3;
const FOLLOWING_SHARE = 0.35;
/** Batches that one fetch of a follower brings. */
const FETCHED_MAX = 3;

export async function appender(life: Life): Promise<void> {
  while (!life.isEnding) {
    const open = life.pick();
    const burst = open === undefined ? 0 : 1 + life.random.below(BURST_MAX);
    for (let count = 0; count < burst && open !== undefined; count++) {
      await appendOnce(life, open);
    }
    await life.pause();
  }
}

async function appendOnce(life: Life, open: OpenLog): Promise<void> {
  const { random } = life;
  const { model, log } = open;
  // As a leader one batch; as a follower what one fetch brings.
  const isFollowing = random.float() < FOLLOWING_SHARE;
  const planned = await planBatches(life, model, isFollowing ? 1 + random.below(FETCHED_MAX) : 1);
  // While a truncation runs nothing is known about the end.
  if (life.isDead(open) || model.cap !== Number.POSITIVE_INFINITY) {
    return;
  }
  model.discardBehind(log.logEndOffset);
  if (random.float() < 0.1 && !model.isDamaged) {
    retryOne(life, open);
  }
  const fresh = planned.filter(({ producer }) => !isStale(model, producer));
  const [first] = fresh;
  if (first === undefined) {
    return;
  }
  if (random.float() < 0.02) {
    model.epoch += 1 + random.below(2);
  }
  if (!isFollowing) {
    const outcome = log.append(first.bytes, { leaderEpoch: model.epoch });
    took(life, open, { outcome, batches: [first] });
    return;
  }
  if (random.float() < 0.2) {
    refuseConfused(life, open, first.bytes);
  }
  const fetched = asFetched(life, open, fresh);
  const outcome = log.appendAsFollower(fetched, { leaderEpoch: model.epoch + random.below(2) });
  took(life, open, { outcome, batches: fresh });
  life.tally.count("fetched batch appended", outcome.ok ? fresh.length : 0);
}

interface Planned {
  readonly producer: ReturnType<typeof nextOf>;
  readonly timestamps: readonly number[];
  readonly bytes: Uint8Array;
}

/** Of different producers, so that each is its own's next one. */
async function planBatches(life: Life, model: ModelLog, count: number): Promise<Planned[]> {
  const { random } = life;
  const first = random.below(PRODUCERS + 1);
  const planned: Planned[] = [];
  for (let index = 0; index < count; index++) {
    const producer = nextOf(model, (first + index) % (PRODUCERS + 1), life);
    const timestamps = drawTimestamps(random, life.runtime.clock.nowMs());
    const { recordBytesMax, compressedShare } = life.hazards;
    const isCompressed = random.float() < compressedShare;
    const plan = { ...producer, timestamps, recordBytesMax, isCompressed };
    planned.push({
      producer,
      timestamps,
      bytes: await buildBatch(plan, random, life.runtime.compute),
    });
  }
  return planned;
}

/** Back to back, with the leader's offsets and epochs; sometimes the leader changed between two of them. */
function asFetched(life: Life, { log, model }: OpenLog, batches: readonly Planned[]): Uint8Array {
  let baseOffset = log.logEndOffset;
  for (const [index, { bytes }] of batches.entries()) {
    model.epoch += index > 0 && life.random.float() < 0.05 ? 1 : 0;
    patchBatchPosition(bytes, 0, { baseOffset, leaderEpoch: model.epoch });
    baseOffset = readBatchHeader(bytes).lastOffset + 1;
  }
  return joinBytes(batches.map(({ bytes }) => bytes));
}

/** Holds the answer to an append against the model, which takes the batches over. */
function took(
  life: Life,
  open: OpenLog,
  { outcome, batches }: { readonly outcome: AppendOutcome; readonly batches: readonly Planned[] },
): void {
  const { model, log } = open;
  if (!outcome.ok) {
    const isExcused =
      (model.isDamaged && outcome.error === "PARTITION_QUARANTINED") ||
      outcome.error === "STORAGE_FULL" ||
      outcome.error === "RECORD_LIST_TOO_LARGE";
    if (!isExcused) {
      throw model.violation(`an append was refused: ${outcome.error}, ${outcome.message}`);
    }
    return;
  }
  if (outcome.isDuplicate) {
    throw model.violation(`a new batch is taken for the one at ${outcome.baseOffset}`);
  }
  if (log.state === "quarantined") {
    throw model.violation("a quarantined log took an append");
  }
  let { baseOffset } = outcome;
  for (const { bytes, timestamps } of batches) {
    const lastOffset = baseOffset + readBatchHeader(bytes).lastOffsetDelta;
    const batch = modelBatch(bytes, { ...outcome, baseOffset, lastOffset }, timestamps);
    baseOffset = lastOffset + 1;
    model.took(batch);
    follow(life, open, batch);
  }
  if (model.end !== outcome.lastOffset + 1) {
    throw model.violation(`an append to ${model.end} says that it ends at ${outcome.lastOffset}`);
  }
}

function follow(life: Life, open: OpenLog, batch: ModelBatch): void {
  const { model, log } = open;
  const acknowledged = (isFsynced: boolean): void => {
    if (!life.isDead(open)) {
      life.tally.acknowledged++;
      model.acknowledged(batch, isFsynced);
    }
  };
  const refused = (): void => {
    // Of a log that is closed or failed nothing is known; one that goes on has taken the batch back.
    if (!life.isDead(open) && model.cap === Number.POSITIVE_INFINITY) {
      life.tally.count("refused after it was taken");
      model.refused(batch);
    }
  };
  life.run(() => log.whenFlushed(batch.lastOffset).then(acknowledged, refused));
}

/** The next batch of a producer of this log; 0: of none. Sometimes it begins again with a new epoch. */
function nextOf(
  model: ModelLog,
  producer: number,
  life: Life,
): { readonly producerId: number; readonly producerEpoch: number; readonly baseSequence: number } {
  if (producer === 0) {
    return { producerId: -1, producerEpoch: -1, baseSequence: -1 };
  }
  const producerId = model.producerBase + producer;
  const last = model.batches.findLast((batch) => batch.producerId === producerId);
  const isAnew = last === undefined || life.random.float() < 0.03;
  return {
    producerId,
    producerEpoch: (last?.producerEpoch ?? -1) + (isAnew ? 1 : 0),
    baseSequence: isAnew ? 0 : last.lastSequence + 1,
  };
}

/** Whether another batch of the producer was appended or taken back while this one was built. */
function isStale(
  model: ModelLog,
  planned: {
    readonly producerId: number;
    readonly producerEpoch: number;
    readonly baseSequence: number;
  },
): boolean {
  const { producerId, producerEpoch, baseSequence } = planned;
  const last = model.batches.findLast((batch) => batch.producerId === producerId);
  const isNext = last?.producerEpoch === producerEpoch && baseSequence === last.lastSequence + 1;
  const isAnew = baseSequence === 0 && producerEpoch > (last?.producerEpoch ?? -1);
  return producerId >= 0 && !isNext && !isAnew;
}

function retryOne(life: Life, { model, log }: OpenLog): void {
  const ids = model.producerIds();
  const producerId = ids[life.random.below(Math.max(1, ids.length))];
  const known = producerId === undefined ? [] : model.lastFive(producerId);
  const batch = known[life.random.below(Math.max(1, known.length))];
  if (batch !== undefined && batch.baseOffset >= log.logStartOffset) {
    checkRetry(model, log, batch);
  }
}
