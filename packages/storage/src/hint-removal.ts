// The last space there is on a completely full disk whose reserve is gone: files that are hints. The indexes of segments
// are built again from the log when somebody needs them, and nothing here reads Kafka's producer snapshots. Ours stay:
// what they know of records that retention removed is nowhere else.

import type { FileSystem } from "@millrace/runtime";
import { INDEX_STATE_SUFFIX } from "./core/index-state.js";
import {
  KAFKA_SNAPSHOT_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  parsePartitionDirectory,
  parseSegmentFileName,
  TIME_INDEX_SUFFIX,
} from "./core/segment-name.js";
import { removeIfPresent } from "./files.js";

const HINT_SUFFIXES: readonly string[] = [
  KAFKA_SNAPSHOT_SUFFIX,
  TIME_INDEX_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  INDEX_STATE_SUFFIX,
];

/** Removes hints of the data directory's logs until they held `wantedBytes`. Returns how many bytes they held. */
export async function removeHints(
  fileSystem: FileSystem,
  path: string,
  wantedBytes: number,
): Promise<number> {
  let bytes = 0;
  for (const { name, kind } of await fileSystem.readDirectory(path)) {
    if (kind === "directory" && parsePartitionDirectory(name) !== undefined) {
      bytes += await removeHintsOf(fileSystem, `${path}/${name}`, wantedBytes - bytes);
    }
    if (bytes >= wantedBytes) {
      break;
    }
  }
  return bytes;
}

async function removeHintsOf(
  fileSystem: FileSystem,
  directory: string,
  wantedBytes: number,
): Promise<number> {
  let bytes = 0;
  for (const { name } of await fileSystem.readDirectory(directory)) {
    const suffix = parseSegmentFileName(name)?.suffix;
    if (bytes < wantedBytes && suffix !== undefined && HINT_SUFFIXES.includes(suffix)) {
      const { size } = await fileSystem.status(`${directory}/${name}`);
      if (size > 0 && (await removeIfPresent(fileSystem, `${directory}/${name}`))) {
        bytes += size;
      }
    }
  }
  return bytes;
}
