// The names of everything in a data directory, both ways: Kafka's conventions. Pure text; no file is touched.

const OFFSET_DIGITS = 20;
const DELETE_SUFFIX = "-delete";
const SET_ASIDE_SUFFIX = "-stray";
const DIRECTORY_NAME_LENGTH_MAX = 255;

export const LOG_SUFFIX = ".log";
export const OFFSET_INDEX_SUFFIX = ".index";
export const TIME_INDEX_SUFFIX = ".timeindex";
/** Millrace's own: see producer-snapshot.ts. */
export const PRODUCER_SNAPSHOT_SUFFIX = ".producer-state";
/** Kafka's: see kafka-producer-snapshot.ts. */
export const KAFKA_SNAPSHOT_SUFFIX = ".snapshot";
/** Added to a file that is no longer part of the log and waits for its last reader. */
export const DELETED_SUFFIX = ".deleted";
/** Added to a file that is being written and becomes real by a rename. */
export const TEMPORARY_SUFFIX = ".tmp";
/** Added to a segment that a cleaning pass writes: worth nothing until it is whole. */
export const CLEANED_SUFFIX = ".cleaned";
/** Added to a cleaned segment that is whole and takes the place of all segments whose offsets it covers. */
export const SWAP_SUFFIX = ".swap";

export const EPOCH_CHECKPOINT_FILE = "leader-epoch-checkpoint";
/** In a partition's directory: damage was found; see quarantine-marker.ts. */
export const QUARANTINE_FILE = "quarantined";
export const PARTITION_METADATA_FILE = "partition.metadata";
export const RECOVERY_POINT_FILE = "recovery-point-offset-checkpoint";
export const LOG_START_OFFSET_FILE = "log-start-offset-checkpoint";
export const CLEANER_OFFSET_FILE = "cleaner-offset-checkpoint";
export const DIRECTORY_METADATA_FILE = "meta.properties";
export const CLEAN_SHUTDOWN_FILE = ".millrace_cleanshutdown";
/** Holds space that a full disk gives back: see space-reserve.ts. */
export const RESERVE_FILE = ".millrace_reserve";

/** `00000000000000000042.log` for offset 42 and `.log`. */
export function segmentFileName(baseOffset: number, suffix: string): string {
  return String(baseOffset).padStart(OFFSET_DIGITS, "0") + suffix;
}

export interface SegmentFileName {
  readonly baseOffset: number;
  readonly suffix: string;
}

/** Undefined for a name that is not `<20 digits><suffix>`, or whose number is not a safe integer. */
export function parseSegmentFileName(name: string): SegmentFileName | undefined {
  const match = /^(\d{20})(\.[a-z.-]+)$/.exec(name);
  const baseOffset = Number(match?.[1]);
  const suffix = match?.[2];
  return suffix !== undefined && Number.isSafeInteger(baseOffset)
    ? { baseOffset, suffix }
    : undefined;
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

export function partitionDirectoryName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/**
 * The partition a directory belongs to; undefined for any other directory. The last dash separates: topic names
 * may hold dashes.
 */
export function parsePartitionDirectory(name: string): PartitionName | undefined {
  const match = /^([A-Za-z0-9._-]{1,249})-(0|[1-9]\d{0,9})$/.exec(name);
  const topic = match?.[1];
  const partition = Number(match?.[2]);
  if (topic === undefined || topic === "." || topic === ".." || partition >= 2 ** 31) {
    return undefined;
  }
  return { topic, partition };
}

/** What a partition's directory is renamed to before it is removed. `uniqueId`: a UUID without dashes. */
export function deletedDirectoryName(name: PartitionName, uniqueId: string): string {
  return retiredName(name, `.${uniqueId}${DELETE_SUFFIX}`);
}

/** What the directory of a partition that the metadata does not know is renamed to. It is never removed. */
export function setAsideDirectoryName(name: PartitionName, uniqueId: string): string {
  return retiredName(name, `.${uniqueId}${SET_ASIDE_SUFFIX}`);
}

export function isDeletedDirectory(name: string): boolean {
  return /^.+\.[0-9a-f]{32}-delete$/.test(name);
}

/** The longest topic names are cut, so that the result is a legal file name (as in Kafka). */
function retiredName(name: PartitionName, ending: string): string {
  const whole = partitionDirectoryName(name.topic, name.partition);
  return whole.slice(0, DIRECTORY_NAME_LENGTH_MAX - ending.length) + ending;
}
