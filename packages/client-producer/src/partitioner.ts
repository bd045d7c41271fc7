// Which partition a record goes to. Keyed records follow Kafka's murmur2, so that the same key lands on the same
// partition whichever client sends it.

import { MillraceError, partitionForKey } from "@millrace/protocol";
import { createTextEncoder, type Random } from "@millrace/runtime";
import type { ProducerRecord } from "./producer-record.js";

/**
 * Picks 0 to `partitionCount` - 1. Called once for each record that names no partition. With `onNewBatch` it is
 * told when a batch of the topic was full, so that it can move on.
 */
export interface Partitioner {
  /** The partition of a record that names none: 0 to `partitionCount - 1`. */
  partition(record: ProducerRecord, partitionCount: number): number;
  /** A batch was closed: records without a key may move on. */
  onNewBatch?(topic: string, partitionCount: number, previousPartition: number): void;
}

/** A choice by name, a function, or an object that also hears of new batches. */
export type PartitionerOption =
  | "sticky"
  | "roundRobin"
  | ((record: ProducerRecord, partitionCount: number) => number)
  | Partitioner;

const encoder = createTextEncoder();

function byKey(key: Uint8Array | string, partitionCount: number): number {
  return partitionForKey(typeof key === "string" ? encoder.encode(key) : key, partitionCount);
}

/**
 * The default. Keyed records by murmur2; those without a key stay on one partition until its batch is full, then
 * move to another at random (KIP-480): few, full batches instead of many small ones.
 */
export class StickyPartitioner implements Partitioner {
  readonly #random: Random;
  readonly #current = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  partition(record: ProducerRecord, partitionCount: number): number {
    if (record.key !== undefined && record.key !== null) {
      return byKey(record.key, partitionCount);
    }
    const current = this.#current.get(record.topic);
    if (current !== undefined && current < partitionCount) {
      return current;
    }
    const chosen = this.#random.below(partitionCount);
    this.#current.set(record.topic, chosen);
    return chosen;
  }

  onNewBatch(topic: string, partitionCount: number, previousPartition: number): void {
    const current = this.#current.get(topic);
    if (current !== previousPartition || partitionCount < 2) {
      return;
    }
    // One of the others, each as likely.
    const step = 1 + this.#random.below(partitionCount - 1);
    this.#current.set(topic, (previousPartition + step) % partitionCount);
  }
}

/** Keyed records by murmur2; those without a key go to each partition in turn. */
export class RoundRobinPartitioner implements Partitioner {
  readonly #next = new Map<string, number>();

  partition(record: ProducerRecord, partitionCount: number): number {
    if (record.key !== undefined && record.key !== null) {
      return byKey(record.key, partitionCount);
    }
    const next = (this.#next.get(record.topic) ?? 0) % partitionCount;
    this.#next.set(record.topic, next + 1);
    return next;
  }
}

export function createPartitioner(option: PartitionerOption, random: Random): Partitioner {
  if (option === "sticky") {
    return new StickyPartitioner(random);
  }
  if (option === "roundRobin") {
    return new RoundRobinPartitioner();
  }
  return typeof option === "function" ? { partition: option } : option;
}

/**
 * The record's own partition, or the partitioner's choice.
 * @throws MillraceError `INVALID_ARGUMENT` when there is no such partition.
 */
export function choosePartition(
  record: ProducerRecord,
  partitionCount: number,
  partitioner: Partitioner,
): number {
  const chosen = record.partition ?? partitioner.partition(record, partitionCount);
  if (!Number.isInteger(chosen) || chosen < 0 || chosen >= partitionCount) {
    throw new MillraceError(
      "INVALID_ARGUMENT",
      `partition: ${record.topic} has partitions 0 to ${partitionCount - 1}, got ${chosen}`,
      { fatal: false, details: { topic: record.topic, partition: chosen, definite: true } },
    );
  }
  return chosen;
}
