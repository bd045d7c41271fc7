// A log as a follower's: batches come as its leader wrote them, what a confused leader sends is refused, and what the leader
// does not have is cut by leader epochs, or everything is.

import { patchBatchPosition } from "@millrace/protocol";
import type { EpochEnd } from "@millrace/storage";
import { epochAfterCut } from "./epochs.js";
import type { Life, OpenLog } from "./life.js";
import type { ModelLog } from "./model-log.js";

/** Within what the CRC covers. */
const ATTRIBUTES_AT = 21;
/** More answers than epochs that a seed can have: the exchange must come to its end. */
const ANSWERS_MAX = 1_000;

/** What a confused leader may send instead of `bytes`, which would be right; all of it is refused and changes nothing. */
export function refuseConfused(life: Life, { log, model }: OpenLog, bytes: Uint8Array): void {
  const { random, tally } = life;
  const { logEndOffset: baseOffset, latestEpoch } = log;
  const leaderEpoch = Math.max(latestEpoch, 0);
  const fetched = { leaderEpoch };
  const place = (change: object): Uint8Array => {
    const placed = bytes.slice();
    patchBatchPosition(placed, 0, { baseOffset, leaderEpoch, ...change });
    return placed;
  };
  const right = place({});
  const flipped = right.slice();
  const at = ATTRIBUTES_AT + random.below(right.length - ATTRIBUTES_AT);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
  const confusions: readonly (readonly [string, Uint8Array])[] = [
    ["OFFSET_OUT_OF_RANGE", place({ baseOffset: baseOffset + 1 + random.below(9) })],
    ["OFFSET_OUT_OF_RANGE", place({ baseOffset: Math.max(0, baseOffset - 1) })],
    ["UNKNOWN_LEADER_EPOCH", place({ leaderEpoch: leaderEpoch + 1 })],
    ["FENCED_LEADER_EPOCH", place({ leaderEpoch: leaderEpoch - 1 })],
    ["CORRUPT_MESSAGE", flipped],
  ];
  const [expected, sent] = confusions[random.below(confusions.length)] ?? ["", right];
  if (baseOffset === 0 || (latestEpoch < 0 && expected === "FENCED_LEADER_EPOCH")) {
    return;
  }
  const outcome = log.appendAsFollower(sent, fetched);
  const answer = outcome.ok ? `offset ${outcome.baseOffset}` : outcome.error;
  // A full disk, or damage that was met before, is told first.
  const isObstructed = ["STORAGE_FULL", "PARTITION_QUARANTINED", "RECORD_LIST_TOO_LARGE"].includes(
    answer,
  );
  if (answer !== expected && !isObstructed) {
    throw model.violation(`a follower's append that is ${expected} got ${answer}`);
  }
  if (log.logEndOffset !== baseOffset || log.latestEpoch !== latestEpoch) {
    throw model.violation("a refused append of a follower changed the log");
  }
  tally.count(`follower refused ${answer}`);
}

/** The partition has another leader, which shares a part of the log; the rest goes, as the two agree by epochs. */
export async function followAnotherLeader(life: Life, open: OpenLog): Promise<void> {
  const { log, model } = open;
  const { random } = life;
  if (model.isDamaged || log.logEndOffset <= log.logStartOffset) {
    return;
  }
  model.discardBehind(log.logEndOffset);
  const shared = drawShared(life, model);
  const leader = new LeaderLog(model, shared, random.below(3));
  const floor = Math.min(shared, model.promisedOnKill);
  model.truncating(shared);
  await agree(life, open, leader);
  if (life.isDead(open)) {
    return;
  }
  const end = log.logEndOffset;
  // Retention may have gone beyond what is shared: then the log is empty where it begins.
  if (
    end > Math.max(shared, log.logStartOffset) ||
    end < floor ||
    !(end === shared || model.isBoundary(end))
  ) {
    throw model.violation(`${shared} is shared with the leader, the follower ends at ${end}`);
  }
  model.cutTo(end);
  model.epoch = Math.max(epochAfterCut(life, model), leader.epoch);
  life.tally.count("truncated to an epoch's end");
}

/** A boundary at or behind the log start, often where an epoch changes. */
function drawShared({ random }: Life, model: ModelLog): number {
  const boundaries = model.live.map(({ baseOffset }) => Math.max(baseOffset, model.start));
  const changes = model.live
    .filter((batch, index, all) => index > 0 && batch.epoch !== all[index - 1]?.epoch)
    .map(({ baseOffset }) => baseOffset);
  const among = changes.length > 0 && random.float() < 0.4 ? changes : [...boundaries, model.end];
  return model.boundary(among[random.below(Math.max(1, among.length))] ?? model.end);
}

async function agree(life: Life, open: OpenLog, leader: LeaderLog): Promise<void> {
  const { log, model } = open;
  for (let answers = 0; answers < ANSWERS_MAX; answers++) {
    const answer = leader.endOf(log.latestEpoch);
    const isFinal = await life.truncateToEpochEnd(log, answer);
    if (isFinal || life.isDead(open)) {
      return;
    }
    life.tally.count("asked for an older epoch's end");
  }
  throw model.violation("a follower and its leader never agree");
}

/** The leader's epochs: those of what it shares, and one of its own, or none. */
class LeaderLog {
  readonly #starts: { readonly epoch: number; readonly startOffset: number }[] = [];
  readonly #end: number;

  constructor(model: ModelLog, shared: number, ownBatches: number) {
    for (const { baseOffset, epoch } of model.batches) {
      if (baseOffset < shared && epoch > this.epoch) {
        this.#starts.push({ epoch, startOffset: baseOffset });
      }
    }
    if (ownBatches > 0) {
      // An epoch has one leader: none that wrote what the follower has besides.
      const others = new Set(model.batches.map(({ epoch }) => epoch));
      let own = this.epoch + 1;
      while (others.has(own)) {
        own++;
      }
      this.#starts.push({ epoch: own, startOffset: shared });
    }
    this.#end = shared + ownBatches;
  }

  /** The latest; -1 for none. */
  get epoch(): number {
    return this.#starts.at(-1)?.epoch ?? -1;
  }

  /** KIP-279's answer, by a linear search. */
  endOf(epoch: number): EpochEnd {
    const at = this.#starts.findLastIndex((entry) => entry.epoch <= epoch);
    const [first] = this.#starts;
    const entry = this.#starts[at];
    if (first === undefined || epoch < 0 || epoch > this.epoch) {
      return { epoch: -1, endOffset: -1 };
    }
    if (entry === undefined) {
      return { epoch, endOffset: first.startOffset };
    }
    return { epoch: entry.epoch, endOffset: this.#starts[at + 1]?.startOffset ?? this.#end };
  }
}

/** The leader's log begins elsewhere: nothing that is here counts any more, damage included. */
export async function startAnew(life: Life, open: OpenLog): Promise<void> {
  const { log, model } = open;
  const { random } = life;
  if (random.float() < 0.5 && !model.isDamaged) {
    return;
  }
  const offset = random.below(2) * log.logStartOffset + random.below(model.end + 20);
  model.startingAnew(offset);
  await log.truncateFullyAndStartAt(offset);
  if (life.isDead(open)) {
    return;
  }
  const { logEndOffset, logStartOffset, state } = log;
  if (logStartOffset !== offset || logEndOffset !== offset || state !== "online") {
    throw model.violation(
      `started anew at ${offset}, it is ${state} at ${logStartOffset} to ${logEndOffset}`,
    );
  }
  if (log.producerCount > 0 || log.latestEpoch >= 0) {
    throw model.violation("started anew, it knows producers or epochs");
  }
  model.startedAnew(offset);
  life.tally.count("started anew");
}
