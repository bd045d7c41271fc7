// The snapshots of one state machine, in the directory of its log. Which of them may go is the owner's decision: it knows
// from where on it has the log. One is written at a time.

import { isMillraceError } from "@millrace/protocol";
import type { Logger } from "@millrace/runtime";
import {
  PARTIAL_SUFFIX,
  parseSnapshotFileName,
  type SnapshotId,
  STATE_SNAPSHOT_SUFFIX,
  snapshotFileName,
} from "./core/state-snapshot-format.js";
import { removeIfPresent } from "./files.js";
import { StateSnapshotReader } from "./state-snapshot-reader.js";
import { type SnapshotRecord, writeSnapshot } from "./state-snapshot-writer.js";
import type { StorageRuntime } from "./storage-config.js";

export interface StateSnapshotsOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute"> & { readonly logger: Logger };
  /** That of the state machine's log. */
  readonly directory: string;
}

export class StateSnapshots {
  readonly #options: StateSnapshotsOptions;

  constructor(options: StateSnapshotsOptions) {
    this.#options = options;
  }

  /** Newest first, damaged ones included. */
  async list(): Promise<SnapshotId[]> {
    const { runtime, directory } = this.#options;
    const entries = await runtime.fileSystem.readDirectory(directory);
    return entries
      .map(({ name }) => parseSnapshotFileName(name))
      .filter((id) => id !== undefined)
      .sort((left, right) => right.endOffset - left.endOffset || right.epoch - left.epoch);
  }

  /** The newest one that is whole, verified from end to end; undefined when there is none. The caller closes it. */
  async openNewest(): Promise<StateSnapshotReader | undefined> {
    const { runtime } = this.#options;
    for (const id of await this.list()) {
      try {
        return await StateSnapshotReader.open({ ...this.#options, id });
      } catch (error) {
        if (!isMillraceError(error)) {
          throw error;
        }
        runtime.logger.error({ snapshot: snapshotFileName(id), error }, "a snapshot is damaged");
      }
    }
    return undefined;
  }

  /**
   * Writes a snapshot, durably when it resolves; when it rejects nothing is left of it. `records` are taken one by one
   * while it is written: they must stay those of the moment `id` names. Returns its size in bytes.
   */
  async write(
    id: SnapshotId,
    content: { readonly timestampMs: number; readonly records: Iterable<SnapshotRecord> },
  ): Promise<number> {
    return await writeSnapshot({ ...this.#options, ...content, id });
  }

  /** Removes those that end before `endOffset`. Call it when a newer one is durable. */
  async removeBefore(endOffset: number): Promise<void> {
    const { runtime, directory } = this.#options;
    const old = (await this.list()).filter((id) => id.endOffset < endOffset);
    // Oldest first: what a crash leaves is the newer ones.
    for (const id of old.reverse()) {
      await removeIfPresent(runtime.fileSystem, `${directory}/${snapshotFileName(id)}`);
    }
    if (old.length > 0) {
      await runtime.fileSystem.syncDirectory(directory);
    }
  }

  /** Removes what a crash left half written. For the start. */
  async removeUnfinished(): Promise<void> {
    const { runtime, directory } = this.#options;
    for (const { name } of await runtime.fileSystem.readDirectory(directory)) {
      if (name.endsWith(STATE_SNAPSHOT_SUFFIX + PARTIAL_SUFFIX)) {
        await removeIfPresent(runtime.fileSystem, `${directory}/${name}`);
      }
    }
  }
}
