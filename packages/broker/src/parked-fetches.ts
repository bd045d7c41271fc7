// Fetches that wait for data (Kafka's fetch purgatory). A parked fetch watches its partitions and ends its wait
// as soon as they hold enough, when its time is up, when something about them changed, when its connection
// closes, or when the broker stops. It does not read; its handler does, afterwards.

import type { Clock } from "@millrace/runtime";
import type { Partition } from "./partition.js";

export interface WatchedPartition {
  readonly partition: Partition;
  readonly offset: number;
  readonly leaderEpoch: number;
}

export interface ParkOptions {
  readonly watched: readonly WatchedPartition[];
  /** Bytes that end the wait, over all partitions. */
  readonly minBytes: number;
  readonly maxWaitMs: number;
  /** Given a function that ends the wait early; returns the way to take it back. */
  readonly onCancel: (end: () => void) => () => void;
}

export class ParkedFetches {
  private readonly clock: Clock;
  private readonly parked = new Set<() => void>();
  private isClosed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.parked.size;
  }

  /** Resolves when the wait is over, for whatever reason. */
  park(options: ParkOptions): Promise<void> {
    if (this.isClosed || options.maxWaitMs === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const exits: (() => void)[] = [];
      const end = (): void => {
        if (this.parked.delete(end)) {
          for (const exit of exits) {
            exit();
          }
          resolve();
        }
      };
      this.parked.add(end);
      const timer = this.clock.setTimer(options.maxWaitMs, end);
      exits.push(() => timer.cancel(), options.onCancel(end), ...watchAll(options, end));
    });
  }

  /** Ends every wait, and lets none begin. */
  close(): void {
    this.isClosed = true;
    for (const end of [...this.parked]) {
      end();
    }
  }
}

/** Keeps the sum of available bytes up to date, one partition at a time, and ends when it is enough. */
function watchAll({ watched, minBytes }: ParkOptions, end: () => void): (() => void)[] {
  let total = 0;
  return watched.map(({ partition, offset, leaderEpoch }) => {
    let known = partition.availableBytes(offset);
    total += known;
    return partition.watch(() => {
      if (partition.isRemoved || partition.leaderEpoch !== leaderEpoch) {
        end();
        return;
      }
      const bytes = partition.availableBytes(offset);
      total += bytes - known;
      known = bytes;
      if (total >= minBytes || offset < partition.logStartOffset) {
        end();
      }
    });
  });
}
