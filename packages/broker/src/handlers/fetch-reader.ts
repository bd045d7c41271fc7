// One reading pass of a fetch: partition after partition within the byte bounds, each with its answer or why it cannot
// be read. Waits for nothing but the disk. When there is something to read is the fetch handler's.

import { errorCode, type WireErrorName, wireErrors } from "@millrace/protocol";
import type { LogSlice } from "@millrace/storage";
import type { FetchedPartition, FetchPartition } from "../fetch-session.js";
import type { Partition } from "../partition.js";
import { type BrokerServices, wireErrorOf } from "./handler.js";

export type FetchTarget =
  | { readonly ok: true; readonly partition: Partition }
  | { readonly ok: false; readonly error: WireErrorName; readonly message: string };

/** The partition to read, or why it cannot be read from there. */
export function resolveTarget(broker: BrokerServices, entry: FetchPartition): FetchTarget {
  const lookup = broker.partitions.find(entry.topicId, entry.partition);
  if (!lookup.ok) {
    return { ok: false, error: lookup.error, message: wireErrors[lookup.error].summary };
  }
  const { partition } = lookup;
  const epochProblem = partition.epochProblem(entry.currentLeaderEpoch);
  if (epochProblem !== undefined) {
    return { ok: false, error: epochProblem, message: wireErrors[epochProblem].summary };
  }
  const offsetProblem = partition.offsetProblem(entry.fetchOffset);
  return offsetProblem === undefined
    ? lookup
    : { ok: false, error: "OFFSET_OUT_OF_RANGE", message: offsetProblem };
}

export interface ReadPass {
  readonly answers: readonly FetchedPartition[];
  /** By answer; only those with records. */
  readonly slices: ReadonlyMap<FetchedPartition, LogSlice>;
}

/**
 * Reads one partition after the other while bytes are left; the first batch of all comes however large. In one step as
 * long as all is in memory. What it reads counts as waiting answers until it ends; from then on its connection counts
 * what it sends.
 */
export class FetchReader {
  private readonly broker: BrokerServices;
  private readonly wanted: readonly FetchPartition[];
  private readonly answers: FetchedPartition[] = [];
  private readonly slices = new Map<FetchedPartition, LogSlice>();
  private bytesLeft: number;
  private countedBytes = 0;

  constructor(broker: BrokerServices, wanted: readonly FetchPartition[], maxBytes: number) {
    this.broker = broker;
    this.wanted = wanted;
    this.bytesLeft = Math.min(maxBytes, broker.config.fetchMaxBytes);
  }

  run(): ReadPass | Promise<ReadPass> {
    for (const [index, entry] of this.wanted.entries()) {
      const read = this.one(entry);
      if (read !== undefined) {
        return this.goOn(index + 1, read);
      }
    }
    return this.end();
  }

  /** The rest, from the first partition on whose bytes had to be waited for. */
  private async goOn(from: number, first: Promise<void>): Promise<ReadPass> {
    await first;
    for (let index = from; index < this.wanted.length; index++) {
      await this.one(this.wanted[index] as FetchPartition);
    }
    return this.end();
  }

  private end(): ReadPass {
    this.count(-this.countedBytes);
    return { answers: this.answers, slices: this.slices };
  }

  /** One partition's answer; a promise only when its bytes have to be waited for. Never rejects. */
  private one(entry: FetchPartition): Promise<void> | undefined {
    const target = resolveTarget(this.broker, entry);
    if (!target.ok) {
      this.answers.push(refuse(entry, target.error, target.message));
      return undefined;
    }
    const { partition } = target;
    const isFirst = this.slices.size === 0;
    if ((!isFirst && this.bytesLeft <= 0) || partition.availableBytes(entry.fetchOffset) === 0) {
      this.answers.push(found(entry, partition, undefined));
      return undefined;
    }
    const roomBytes = Math.min(this.bytesLeft, this.broker.responses.roomBytes);
    const maxBytes = Math.min(entry.maxBytes, Math.max(roomBytes, 0));
    this.count(maxBytes);
    const fail = (error: unknown): void => this.failed(entry, error, maxBytes);
    try {
      const slice = partition.read({ offset: entry.fetchOffset, maxBytes, minOneBatch: isFirst });
      if (slice instanceof Promise) {
        return slice.then((later) => this.took(target, entry, { slice: later, maxBytes }), fail);
      }
      this.took(target, entry, { slice, maxBytes });
    } catch (error) {
      fail(error);
    }
    return undefined;
  }

  private took(
    { partition }: { readonly partition: Partition },
    entry: FetchPartition,
    { slice, maxBytes }: { readonly slice: LogSlice; readonly maxBytes: number },
  ): void {
    this.count(slice.sizeBytes - maxBytes);
    const answer = found(entry, partition, slice);
    this.answers.push(answer);
    if (slice.sizeBytes > 0) {
      this.slices.set(answer, slice);
      this.bytesLeft -= slice.sizeBytes;
    }
  }

  private failed(entry: FetchPartition, error: unknown, maxBytes: number): void {
    this.count(-maxBytes);
    const { error: name, message } = wireErrorOf(error);
    this.answers.push(refuse(entry, name, message));
  }

  private count(bytes: number): void {
    this.countedBytes += bytes;
    this.broker.responses.count(bytes);
  }
}

function found(
  entry: FetchPartition,
  partition: Partition,
  slice: LogSlice | undefined,
): FetchedPartition {
  return {
    topicId: entry.topicId,
    partition: entry.partition,
    errorCode: 0,
    highWatermark: partition.highWatermark,
    lastStableOffset: partition.lastStableOffset,
    logStartOffset: partition.logStartOffset,
    recordsLength: slice?.sizeBytes ?? 0,
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    divergingEpoch: -1,
    divergingEndOffset: -1,
    errorMessage: null,
  };
}

function refuse(
  entry: FetchPartition,
  error: WireErrorName,
  errorMessage: string,
): FetchedPartition {
  return {
    topicId: entry.topicId,
    partition: entry.partition,
    errorCode: errorCode(error),
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    recordsLength: 0,
    leaderId: -1,
    leaderEpoch: -1,
    divergingEpoch: -1,
    divergingEndOffset: -1,
    errorMessage,
  };
}
