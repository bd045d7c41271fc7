/**
 * Crash-safe segmented logs in Kafka's on-disk format, with group commit.
 * @packageDocumentation
 */

export type { KafkaProducerEntry } from "./core/kafka-producer-snapshot.js";
export type { EpochEnd } from "./core/leader-epochs.js";
export type { ProducerSnapshot } from "./core/producer-snapshot.js";
export {
  type ProducerBatch,
  type ProducerEntry,
  ProducerState,
  type ProducerUndo,
  type SequencedBatch,
  type SequenceVerdict,
} from "./core/producer-state.js";
export type { SnapshotId } from "./core/state-snapshot-format.js";
export {
  type DumpedJournal,
  type DumpedJournalEntry,
  type DumpedJournalFrame,
  dumpCommitJournal,
  isCommitJournalFile,
} from "./dump-journal.js";
export {
  type DumpedBatch,
  type DumpedItem,
  type DumpedRest,
  type DumpOptions,
  dumpKafkaProducerSnapshot,
  dumpOffsetIndex,
  dumpProducerSnapshot,
  dumpSegment,
  dumpTimeIndex,
} from "./dump-segment.js";
export { flushPolicyText } from "./flush-policy.js";
export type { FlushWaiter } from "./flush-waiters.js";
export { type JournaledTail, JournalOverlay, type SizedFile } from "./journal-overlay.js";
export { Log } from "./log.js";
export {
  type CleanerTotals,
  type CompactionOptions,
  type CompactionReport,
  DEDUPE_BUFFER_BYTES_DEFAULT,
  LogCleaner,
} from "./log-cleaner.js";
export {
  type BooleanKey,
  type ChoiceKey,
  type CleanupPolicy,
  type IntegerKey,
  isCompacted,
  isTopicConfigKey,
  type LogConfig,
  type NumberKey,
  parseLogConfig,
  type TopicConfigKey,
  type TopicConfigKeyName,
  topicConfigKeys,
  topicConfigProblem,
} from "./log-config.js";
export { LogManager } from "./log-manager.js";
export type { LogManagerOptions } from "./log-manager-options.js";
export type {
  Appended,
  AppendOptions,
  AppendOutcome,
  AppendRefused,
  FollowerAppendOptions,
  LogId,
  LogSlice,
  LogState,
  ReadOptions,
  RecoveryProgress,
  RecoveryReport,
  StorageFailure,
  TimestampOffset,
} from "./log-types.js";
export {
  type RepairedRange,
  type RepairOptions,
  type RepairReport,
  repairLog,
} from "./repair-log.js";
export type { ScrubTotals } from "./scrubber.js";
export type { ScrubPlace, ScrubStep } from "./segment-scrub.js";
export { StateSnapshotReader } from "./state-snapshot-reader.js";
export type { SnapshotRecord } from "./state-snapshot-writer.js";
export { StateSnapshots, type StateSnapshotsOptions } from "./state-snapshots.js";
export {
  type StorageConfig,
  type StorageRuntime,
  storageConfigDefaults,
} from "./storage-config.js";
export {
  type Finding,
  type VerifyItem,
  type VerifyOptions,
  type VerifySummary,
  verifyDirectory,
} from "./verify-directory.js";
export { type SnapshotProblem, verifySnapshots } from "./verify-snapshots.js";
