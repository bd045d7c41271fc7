// What the rounds send, and how they judge what is there after a crash: one implementation for a topic that keeps every
// record (plain-records.ts), one for a compacted topic (keyed-records.ts).

import { type Millrace, MillraceError, type RecordHeader } from "millrace";
import type { Verdict } from "./ledger.js";

export interface Outgoing {
  readonly key: string | null;
  /** Null: a tombstone. */
  readonly value: string | null;
  readonly headers?: readonly RecordHeader[];
  acknowledged(offset: number): void;
}

export interface TopicPlace {
  readonly topic: string;
  readonly partitions: number;
}

export interface RoundRecords {
  readonly topicConfig: Readonly<Record<string, string>>;
  /** Broker configuration by dotted key. */
  readonly brokerConfig: Readonly<Record<string, string>>;
  /** Whether the log cleaner has work: every round then waits until it has cleaned something. */
  readonly isCompacted: boolean;
  /** What the producer of this name sends next. It may come to be stored or not, until it is acknowledged. */
  next(producer: string, partition: number): Outgoing;
  /** Reads what is there, while nobody sends, and compares it with what was promised. */
  readBack(client: Millrace, place: TopicPlace): Promise<Verdict>;
}

/**
 * Runs `work` on a partition. A broker that found damage there refuses the partition, which is a broken promise like any
 * other: `refused` is told, and the rest is judged as ever.
 */
export async function unlessRefused(
  work: () => Promise<void>,
  refused: (reason: string) => void,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof MillraceError && damageCodes.has(error.code))) {
      throw error;
    }
    refused(error.message);
  }
}

const damageCodes: ReadonlySet<string> = new Set([
  "PARTITION_QUARANTINED",
  "CORRUPT_MESSAGE",
  "CORRUPT_RECORD",
]);
