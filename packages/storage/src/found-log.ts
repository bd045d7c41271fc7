// A partition's directory found at a start: whose it is by its metadata file, its recovery, and what the operator is told.

import type { DirectoryEntry } from "@millrace/runtime";
import {
  PARTITION_METADATA_FILE,
  type PartitionName,
  parsePartitionDirectory,
  TEMPORARY_SUFFIX,
} from "./core/segment-name.js";
import { decodePartitionMetadata } from "./core/text-checkpoints.js";
import { readTextIfPresent } from "./files.js";
import { NIL_TOPIC_ID } from "./log.js";
import { parseLogConfig } from "./log-config.js";
import { type LogEnvironment, type RecoveredLog, recoverLog } from "./log-recovery.js";
import type { RecoveryReport } from "./log-types.js";

export interface FoundLog {
  readonly environment: LogEnvironment;
  readonly path: string;
  /** The directory's, in `path`. */
  readonly name: string;
  readonly recoveryPoint: number;
  readonly logStartOffset: number | undefined;
  readonly cleanedTo: number;
  readonly areNamesDurable: boolean;
}

/** Undefined for a directory whose creation was interrupted: it will be tried again, or never. */
export async function recoverFoundLog(found: FoundLog): Promise<RecoveredLog | undefined> {
  const { environment, name, recoveryPoint, logStartOffset, cleanedTo, areNamesDurable } = found;
  const directory = `${found.path}/${name}`;
  const { fileSystem } = environment.runtime;
  const text = await readTextIfPresent(fileSystem, `${directory}/${PARTITION_METADATA_FILE}`);
  if (text === undefined && isHalfCreated(await fileSystem.readDirectory(directory))) {
    return undefined;
  }
  const { topic, partition } = parsePartitionDirectory(name) as PartitionName;
  const topicId = (text === undefined ? undefined : decodePartitionMetadata(text)) ?? NIL_TOPIC_ID;
  const recovered = await recoverLog({
    recoveryPoint,
    logStartOffset,
    cleanedTo,
    areNamesDurable,
    environment,
    id: { topic, topicId, partition },
    directory,
    config: parseLogConfig(),
  });
  tell(environment, recovered.report);
  return recovered;
}

/**
 * Whether the creation of a log was interrupted before its metadata was in place, when nothing had been promised. An empty
 * directory and one with the file under its temporary name are the same: a power cut may turn either into the other.
 */
export function isHalfCreated(entries: readonly Pick<DirectoryEntry, "name">[]): boolean {
  return entries.every(({ name }) => name === PARTITION_METADATA_FILE + TEMPORARY_SUFFIX);
}

function tell({ runtime }: LogEnvironment, report: RecoveryReport): void {
  const { topic, partition, cutBytes, cutReason, damage } = report;
  if (damage !== undefined) {
    runtime.logger.error({ topic, partition, damage }, "log quarantined");
  } else if (cutBytes > 0) {
    runtime.logger.warn({ topic, partition, cutBytes, cutReason }, "torn tail cut");
  }
}
