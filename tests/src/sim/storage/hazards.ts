// What one seed is like: its logs' configurations, the data directory's, and how much of each trouble there is. Swarm
// testing: each seed has its own mixture.

import type { Random } from "@millrace/runtime";
import type { StorageConfig } from "@millrace/storage";

export interface Hazards {
  readonly lives: number;
  readonly logs: number;
  readonly storage: Partial<StorageConfig>;
  /** Mean virtual time of one life. */
  readonly lifeMs: number;
  /** Mean pause of each actor between two operations. */
  readonly pauseMs: number;
  readonly recordBytesMax: number;
  /** Chances, per life. */
  readonly crashAtOperation: number;
  readonly trouble: number;
  readonly damage: number;
  readonly repair: number;
  readonly troubleAtStart: number;
  readonly powerLossShare: number;
  readonly compressedShare: number;
  /** Actors that append. */
  readonly appenders: number;
  readonly isCompacting: boolean;
}

export function drawHazards(random: Random): Hazards {
  const between = (low: number, high: number): number => low + random.float() * (high - low);
  const maybe = (chance: number, value: number): number => (random.float() < chance ? value : 0);
  const isCrowded = random.float() < 0.4;
  return {
    lives: 3 + random.below(4),
    logs: isCrowded ? 4 + random.below(5) : 1 + random.below(4),
    appenders: isCrowded ? 5 : 2,
    isCompacting: random.float() < 0.4,
    lifeMs: between(5, 60),
    pauseMs: between(0.3, 3),
    recordBytesMax: 1 + random.below(random.float() < 0.3 ? 600 : 60),
    crashAtOperation: between(0, 0.8),
    trouble: maybe(0.6, between(0.1, 0.9)),
    damage: maybe(0.6, between(0.3, 1)),
    repair: maybe(0.5, between(0.2, 0.9)),
    troubleAtStart: maybe(0.5, between(0.1, 0.8)),
    powerLossShare: between(0.2, 0.9),
    compressedShare: maybe(0.3, between(0, 0.4)),
    storage: {
      syncsAtOnceMax: isCrowded ? 1 : 1 + random.below(3),
      ...(isCrowded ? drawJournal(random) : {}),
      // Its first pass begins after a minute: only the calm end of a seed lasts that long.
      scrubBytesPerSecond: maybe(0.3, 1_000_000),
      recoveriesAtOnceMax: 1 + random.below(4),
      tailCacheBytes: [0, 3_000, 100_000][random.below(3)] ?? 0,
      indexCacheBytes: [0, 200, 100_000][random.below(3)] ?? 0,
      synchronousWriteBytesMax: [0, 400, 32_768][random.below(3)] ?? 0,
      roundBytesMax: [300, 2_000, 1_000_000][random.below(3)] ?? 0,
      checkpointIntervalMs: between(2, 200),
      checkpointBytes: 500 + random.below(20_000),
      reserveBytes: maybe(0.15, 65_536),
      // What is looked at when it was given back already is no batch any more.
      spoilsFreeMemory: true,
    },
  };
}

/** More logs wait than may sync at once: they share the commit journal, which is so small that it is emptied all the time. */
function drawJournal(random: Random): Partial<StorageConfig> {
  return {
    journalBytes: 5_000 + random.below(random.float() < 0.5 ? 5_000 : 60_000),
    journalRoundBytesMax: random.float() < 0.3 ? 600 : 65_536,
  };
}

/** A topic's configuration, so small that everything happens often. */
export function drawEntries(random: Random): Record<string, string> {
  const isOs = random.float() < 0.35;
  const entries: Record<string, string> = {
    "segment.bytes": String(3_000 + random.below(random.float() < 0.5 ? 2_000 : 20_000)),
    "index.interval.bytes": String(random.below(1_200)),
    "file.delete.delay.ms": String(random.below(2) * random.below(30)),
    "message.timestamp.type": random.float() < 0.25 ? "LogAppendTime" : "CreateTime",
    flush: isOs ? "os" : "sync",
  };
  if (isOs && random.float() < 0.5) {
    entries["flush.ms"] = String(random.below(20));
  }
  if (isOs && random.float() < 0.5) {
    entries["flush.messages"] = String(1 + random.below(30));
  }
  entries["retention.ms"] = random.float() < 0.3 ? String(random.below(20_000)) : "-1";
  entries["retention.bytes"] = random.float() < 0.3 ? String(2_000 + random.below(8_000)) : "-1";
  if (random.float() < 0.2) {
    entries["segment.ms"] = String(1 + random.below(10_000));
  }
  if (random.float() < 0.2) {
    entries["segment.index.bytes"] = String(24 + random.below(200));
  }
  return entries;
}
