// What an operator does about files that say whose the data are, when they were damaged: nothing else can.

import type { LogManager } from "@millrace/storage";
import type { DamageTools } from "./damage.js";

/** Their contents come from a backup. */
export function putBack({ disk, originals }: DamageTools): void {
  for (const [path, bytes] of originals) {
    if (disk.paths().includes(path)) {
      disk.replaceContent(path, bytes);
    }
  }
  originals.clear();
}

/** A damaged `partition.metadata` may name a topic id that looks like one. */
export function hasWrongId({ models, originals }: DamageTools, manager: LogManager): boolean {
  return [...models.values()].some((model) => {
    const log = manager.getLog(model.id.topic, model.id.partition);
    const isWrong = log !== undefined && !log.isTopicIdLost && log.topicId !== model.id.topicId;
    return isWrong && originals.size > 0;
  });
}
