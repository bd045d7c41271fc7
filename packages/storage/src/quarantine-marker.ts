// The word of damage, kept beside the log by whoever found it: a start trusts what was synced and might not see it again,
// and records would be appended behind it; or it would see it, and take it for a torn tail, because the recovery point was
// lost meanwhile. Only a repair takes it away, and a follower that begins the log anew.

import type { FileSystem } from "@millrace/runtime";
import { QUARANTINE_FILE } from "./core/segment-name.js";
import { readTextIfPresent, removeIfPresent, replaceFile } from "./files.js";

/** Why the log was quarantined; undefined when it was not. */
export async function readQuarantine(
  fileSystem: FileSystem,
  directory: string,
): Promise<string | undefined> {
  const text = await readTextIfPresent(fileSystem, `${directory}/${QUARANTINE_FILE}`);
  return text === undefined ? undefined : text.trim() || "damage was found before";
}

/** Durable when it resolves. */
export async function storeQuarantine(
  fileSystem: FileSystem,
  directory: string,
  damage: string,
): Promise<void> {
  await replaceFile(fileSystem, { directory, name: QUARANTINE_FILE, content: `${damage}\n` });
}

/** Durable when it resolves. */
export async function removeQuarantine(fileSystem: FileSystem, directory: string): Promise<void> {
  if (await removeIfPresent(fileSystem, `${directory}/${QUARANTINE_FILE}`)) {
    await fileSystem.syncDirectory(directory);
  }
}
