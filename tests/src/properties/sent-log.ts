// What producers were told, what the log holds, and where the two disagree. Pure.

import { partitionForKey } from "@millrace/protocol";

/** One record and what became of its `send`. */
export interface Sent {
  readonly producer: string;
  readonly number: number;
  readonly key: string;
  /** `isDefinite`: the error says that the record is not stored. */
  readonly outcome:
    | { readonly kind: "acknowledged"; readonly partition: number; readonly offset: number }
    | { readonly kind: "failed"; readonly isDefinite: boolean; readonly error: unknown }
    | { readonly kind: "pending" };
}

/** One record as it was read. */
export interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly producer: string;
  readonly number: number;
}

export const nameOf = (record: { producer: string; number: number }): string =>
  `${record.producer}:${record.number}`;

const placeOf = ({ partition, offset }: { partition: number; offset: number }): string =>
  `${partition}@${offset}`;

function countByName(log: readonly Stored[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const stored of log) {
    counts.set(nameOf(stored), (counts.get(nameOf(stored)) ?? 0) + 1);
  }
  return counts;
}

/** Acknowledged offsets are distinct, and each acknowledged record is where its acknowledgement says. */
export function acknowledgementProblems(sent: readonly Sent[], log: readonly Stored[]): string[] {
  const problems: string[] = [];
  const byPlace = new Map(log.map((stored) => [placeOf(stored), nameOf(stored)]));
  const owners = new Map<string, string>();
  for (const record of sent) {
    const { outcome } = record;
    if (outcome.kind !== "acknowledged") {
      continue;
    }
    const place = placeOf(outcome);
    const owner = owners.get(place);
    if (owner !== undefined) {
      problems.push(`${nameOf(record)} and ${owner} were both acknowledged at ${place}`);
    }
    owners.set(place, nameOf(record));
    if (byPlace.get(place) !== nameOf(record)) {
      problems.push(
        `${nameOf(record)} was acknowledged at ${place}, where ${byPlace.get(place)} is`,
      );
    }
  }
  return problems;
}

/** No record is there twice, none that certainly failed is there, and none that nobody sent. */
export function exactlyOnceProblems(sent: readonly Sent[], log: readonly Stored[]): string[] {
  const problems: string[] = [];
  const counts = countByName(log);
  for (const record of sent) {
    const count = counts.get(nameOf(record)) ?? 0;
    const { outcome } = record;
    if (count > 1) {
      problems.push(`${nameOf(record)} is stored ${count} times`);
    }
    if (count > 0 && outcome.kind === "failed" && outcome.isDefinite) {
      problems.push(`${nameOf(record)} is stored though its send failed: ${outcome.error}`);
    }
    counts.delete(nameOf(record));
  }
  problems.push(...[...counts.keys()].map((name) => `${name} is stored; nobody sent it`));
  return problems;
}

/** Each key's records are in its murmur2 partition, and come in the order in which they were sent. */
export function keyOrderProblems(read: readonly Stored[], partitionCount: number): string[] {
  const problems: string[] = [];
  const lastOfKey = new Map<string, Stored>();
  for (const record of read) {
    const partition = partitionForKey(new TextEncoder().encode(record.key), partitionCount);
    if (record.partition !== partition) {
      problems.push(`key ${record.key} is in partition ${record.partition}, not ${partition}`);
    }
    const last = lastOfKey.get(record.key);
    if (last !== undefined && last.number >= record.number) {
      problems.push(`key ${record.key}: ${nameOf(record)} came after ${nameOf(last)}`);
    }
    lastOfKey.set(record.key, record);
  }
  return problems;
}
