// Actors that write: batches of several producers, retries among them, each answer held against the model.

import { buildBatch, drawTimestamps, modelBatch } from "./batches.js";
import { checkRetry } from "./compare.js";
import type { Life, OpenLog } from "./life.js";
import type { ModelBatch, ModelLog } from "./model-log.js";

const BURST_MAX = 5;
const PRODUCERS = 3;

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
  const producer = nextOf(model, random.below(PRODUCERS + 1), life);
  const timestamps = drawTimestamps(random, life.runtime.clock.nowMs());
  const bytes = await buildBatch(
    {
      ...producer,
      timestamps,
      recordBytesMax: life.hazards.recordBytesMax,
      isCompressed: random.float() < life.hazards.compressedShare,
    },
    random,
    life.runtime.compute,
  );
  // While a truncation runs nothing is known about the end.
  if (life.isDead(open) || model.cap !== Number.POSITIVE_INFINITY) {
    return;
  }
  model.discardBehind(log.logEndOffset);
  if (random.float() < 0.1 && !model.isDamaged) {
    retryOne(life, open);
  }
  if (isStale(model, producer)) {
    return;
  }
  if (random.float() < 0.02) {
    model.epoch += 1 + random.below(2);
  }
  const outcome = log.append(bytes, { leaderEpoch: model.epoch });
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
  const batch = modelBatch(bytes, outcome, timestamps);
  model.took(batch);
  follow(life, open, batch);
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

/** What a leader appends with after the end was cut: the epoch of what is left, or a new one. */
export function epochAfterCut(life: Life, model: ModelLog): number {
  const left = Math.max(0, model.batches.at(-1)?.epoch ?? 0);
  return life.random.float() < 0.5 ? left : model.epoch + 1;
}
