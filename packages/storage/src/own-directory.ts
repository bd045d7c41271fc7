// Where the file system ignores case (macOS, Windows), `Orders-0` is the directory of `orders-0` too: whoever is to make
// it must find out first.

import { MillraceError } from "@millrace/protocol";
import type { FileSystem } from "@millrace/runtime";
import { exists } from "./files.js";

/** Both by the names of their directories. */
export interface KnownLogs {
  readonly logs: ReadonlyMap<string, unknown>;
  readonly creating: ReadonlyMap<string, Promise<unknown>>;
}

/** @throws MillraceError `INVALID_TOPIC_EXCEPTION` when `directory` is another log's under another name. */
export async function assertOwnDirectory(
  fileSystem: FileSystem,
  directory: string,
  known: KnownLogs,
): Promise<void> {
  const name = directory.slice(directory.lastIndexOf("/") + 1);
  const isTwin = (other: string): boolean =>
    other !== name && other.toLowerCase() === name.toLowerCase();
  for (const [other, creating] of known.creating) {
    if (isTwin(other)) {
      await creating.catch(() => undefined);
    }
  }
  const twin = (await exists(fileSystem, directory))
    ? [...known.logs.keys()].find(isTwin)
    : undefined;
  if (twin !== undefined) {
    throw new MillraceError(
      "INVALID_TOPIC_EXCEPTION",
      `${directory} is the directory of ${twin}: this file system ignores case`,
    );
  }
}
