// The storage suite: what it plants, and which faults it claims to have seen.

import type { Suite } from "../suite.js";
import { type StorageBug, storageBugs } from "./planted-bugs.js";
import { runStorageSeed } from "./storage-seed.js";

const kinds = [
  "create",
  "write",
  "sync",
  "truncate",
  "createDirectory",
  "rename",
  "removeFile",
  "removeDirectory",
  "syncDirectory",
];

/** Boundaries at which an operation in flight may be found done, or not; those that are frequent enough. */
const atomic = ["create", "truncate", "rename", "removeFile"];

const hintFiles = [
  "index",
  "timeindex",
  "index-state",
  "producer-state",
  "leader-epoch-checkpoint",
  "recovery-point",
  "log-start-offset",
  "cleaner-offset",
  "meta",
  "partition-metadata",
  "quarantine",
];

const places = ["sealed", "active", "past the recovery point"];

/** What a follower must refuse of its leader. */
const confusions = [
  "OFFSET_OUT_OF_RANGE",
  "UNKNOWN_LEADER_EPOCH",
  "FENCED_LEADER_EPOCH",
  "CORRUPT_MESSAGE",
];

export const requiredFaults: readonly string[] = [
  ...kinds.flatMap((kind) => [`kill at ${kind}`, `powerLoss at ${kind}`]),
  ...atomic.flatMap((kind) => [`crash.${kind}.done`, `crash.${kind}.undone`]),
  "crash.write.part",
  "crash during recovery",
  "powerLoss.lostWrite",
  "powerLoss.tornWrite",
  "powerLoss.reorderedWrites",
  "powerLoss.lostTruncate",
  "powerLoss.lostName",
  "powerLoss.reorderedNames",
  "disk.sync.error",
  "disk.syncDirectory.error",
  "disk.write.error",
  "disk.read.error",
  "disk.rename.error",
  "disk.create.error",
  "disk.removeFile.error",
  "disk.truncate.error",
  "disk.full",
  "disk.shortWrite",
  "disk.tooManyOpenFiles",
  "disk.stall",
  ...hintFiles.map((file) => `bit flip in ${file}`),
  ...places.flatMap((place) => [`bit flip in log, ${place}`, `zeroed sector in log, ${place}`]),
  "bit flip in log, while it is read",
  "deleted index file",
  "stale index file",
  "quarantined",
  "commit journal written",
  "commit journal replayed",
  "fetched batch appended",
  ...confusions.map((code) => `follower refused ${code}`),
  "truncated to an epoch's end",
  "asked for an older epoch's end",
  "started anew",
  "nothing to repair",
  "damaged range given up",
  "repaired at once",
  "repaired in two goes",
  "repair killed",
  "scrubbed",
  "cleaning pass",
  "compacted log compared",
  "end: clean",
  "end: failure",
];

export const storageSuite: Suite<StorageBug> = {
  name: "storage",
  unit: "batches",
  bugs: storageBugs,
  plantedSeedsMax: 400,
  requiredFaults,
  faultsSeenWithin: 200,
  run: runStorageSeed,
};
