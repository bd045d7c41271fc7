// What one data directory is configured with, and the runtime it needs. Values that all its logs share;
// what a topic decides for itself is in log-config.ts.

import type { ServerRuntime } from "@millrace/runtime";

export type StorageRuntime = Pick<
  ServerRuntime,
  "clock" | "random" | "fileSystem" | "compute" | "logger"
>;

export interface StorageConfig {
  /**
   * How many syncs may run at once. Each occupies a thread of the platform's pool, and reads need one too:
   * keep it below the pool's size. Default 3 (Node's pool has 4 threads unless told otherwise).
   */
  readonly syncsAtOnceMax: number;
  /** Appended bytes not yet written, over all logs; beyond it an append is refused. Default 256 MiB. */
  readonly queuedBytesMax: number;
  /** Bytes that one write and sync of a log takes at most. Default 32 MiB. */
  readonly roundBytesMax: number;
  /** Up to this size a write is done synchronously, which is cheaper than a trip through the pool. Default 32 KiB. */
  readonly synchronousWriteBytesMax: number;
  /**
   * What the commit journal may take on the disk: two files of half of it, each emptied in turn. It is used while more
   * logs wait than may sync at once. 0: none, each log syncs for itself. Default 128 MiB.
   */
  readonly journalBytes: number;
  /** Rounds up to this size may go through the journal, which writes them twice. Default 64 KiB. */
  readonly journalRoundBytesMax: number;
  /** Recently written batches kept in memory, over all logs. Default 64 MiB. */
  readonly tailCacheBytes: number;
  /** Memory of reads from disk, and of batches that left the tail, that is kept to be used again. Default 16 MiB. */
  readonly readBufferBytes: number;
  /** Bytes read ahead for readers that go through a log in order, over all logs; 0: none. Default 8 MiB. */
  readonly readAheadBytes: number;
  /** Loaded indexes of sealed segments kept in memory, over all logs. Default 64 MiB. */
  readonly indexCacheBytes: number;
  /** Recovery points are stored at least this often while something is written. Default 5 s. */
  readonly checkpointIntervalMs: number;
  /** ... and whenever this much was written. Default 64 MiB. */
  readonly checkpointBytes: number;
  /** A producer that wrote nothing for so long is forgotten. Default one day (Kafka's producer.id.expiration.ms). */
  readonly producerIdExpirationMs: number;
  /**
   * Bytes held back in the data directory, so that a completely full disk can still delete (at most an eighth of the
   * free space). Records are refused while there is no room for it. 0: none. Default 4 MiB.
   */
  readonly reserveBytes: number;
  /** Producers that a log knows; beyond it those that wrote least recently are forgotten. Default 100,000. */
  readonly producersPerLogMax: number;
  /**
   * Sealed segments are verified in the background at this rate, to find bit rot while it can still be repaired; 0: not at
   * all. Default 1 MiB/s: a terabyte takes twelve days, and costs a thousandth of a core.
   */
  readonly scrubBytesPerSecond: number;
  /**
   * For tests: memory that would be used again is overwritten instead as soon as it is given back, so that whoever still
   * looks at it finds that out. Default false.
   */
  readonly spoilsFreeMemory: boolean;
  /** How many logs are recovered at once. Default 4. */
  readonly recoveriesAtOnceMax: number;
}

export const storageConfigDefaults: StorageConfig = Object.freeze({
  syncsAtOnceMax: 3,
  queuedBytesMax: 256 * 1024 * 1024,
  roundBytesMax: 32 * 1024 * 1024,
  synchronousWriteBytesMax: 32 * 1024,
  journalBytes: 128 * 1024 * 1024,
  journalRoundBytesMax: 64 * 1024,
  tailCacheBytes: 64 * 1024 * 1024,
  readBufferBytes: 16 * 1024 * 1024,
  readAheadBytes: 8 * 1024 * 1024,
  indexCacheBytes: 64 * 1024 * 1024,
  checkpointIntervalMs: 5_000,
  checkpointBytes: 64 * 1024 * 1024,
  producerIdExpirationMs: 86_400_000,
  producersPerLogMax: 100_000,
  reserveBytes: 4 * 1024 * 1024,
  scrubBytesPerSecond: 1024 * 1024,
  spoilsFreeMemory: false,
  recoveriesAtOnceMax: 4,
});
