// Which topic a partition's directory belongs to: the file that says so, and what happens to a log that lost it.

import { MillraceError } from "@millrace/protocol";
import type { FileSystem } from "@millrace/runtime";
import { PARTITION_METADATA_FILE } from "./core/segment-name.js";
import { encodePartitionMetadata } from "./core/text-checkpoints.js";
import { replaceFile } from "./files.js";
import type { Log } from "./log.js";
import type { LogConfig } from "./log-config.js";
import type { LogId } from "./log-types.js";

/** Durable when it resolves. */
export async function storeTopicId(
  fileSystem: FileSystem,
  directory: string,
  topicId: string,
): Promise<void> {
  await replaceFile(fileSystem, {
    directory,
    name: PARTITION_METADATA_FILE,
    content: encodePartitionMetadata(topicId),
  });
}

/**
 * The log that is there already, for who asked to create it.
 * @throws MillraceError `INCONSISTENT_TOPIC_ID` when it is another topic's
 */
export async function adoptLog(
  fileSystem: FileSystem,
  log: Log,
  wanted: { readonly id: LogId; readonly config: LogConfig },
): Promise<Log> {
  const { topicId } = wanted.id;
  if (log.isTopicIdLost) {
    await storeTopicId(fileSystem, log.directory, topicId);
    log.adopt(topicId);
  }
  if (log.topicId !== topicId) {
    throw new MillraceError(
      "INCONSISTENT_TOPIC_ID",
      `${log.directory} holds topic id ${log.topicId}, not ${topicId}`,
    );
  }
  log.updateConfig(wanted.config);
  return log;
}
