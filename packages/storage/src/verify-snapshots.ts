// Checks the snapshots in a partition's directory: `.checkpoint` files (a state machine's state, from end to end) and
// the producer snapshots, Millrace's and Kafka's. For `verifyDirectory` and `millrace log verify`. Writes nothing.

import { isMillraceError } from "@millrace/protocol";
import { decodeKafkaProducerSnapshot } from "./core/kafka-producer-snapshot.js";
import { decodeProducerSnapshot } from "./core/producer-snapshot.js";
import { KAFKA_SNAPSHOT_SUFFIX, PRODUCER_SNAPSHOT_SUFFIX } from "./core/segment-name.js";
import { parseSnapshotFileName, type SnapshotId } from "./core/state-snapshot-format.js";
import type { JournalRuntime } from "./journal-reader.js";
import { StateSnapshotReader } from "./state-snapshot-reader.js";

export interface SnapshotProblem {
  /** `hint`: the next start does without it. */
  readonly severity: "damage" | "hint";
  /** In the directory. */
  readonly file: string;
  readonly problem: string;
}

/** What is wrong with the snapshots of one partition. */
export async function verifySnapshots(
  runtime: JournalRuntime,
  directory: string,
): Promise<readonly SnapshotProblem[]> {
  const entries = await runtime.fileSystem.readDirectory(directory);
  const names = entries.map(({ name }) => name).sort();
  return [
    ...(await verifyStates(runtime, directory, names)),
    ...(await verifyProducers(runtime, directory, names)),
  ];
}

/** The newest one that is whole is used, with the log from there on: without any, the state is lost. */
async function verifyStates(
  runtime: JournalRuntime,
  directory: string,
  names: readonly string[],
): Promise<readonly SnapshotProblem[]> {
  const ids = names.map(parseSnapshotFileName);
  const problems: { readonly file: string; readonly problem: string }[] = [];
  let wholeCount = 0;
  for (const [index, id] of ids.entries()) {
    const problem = id && (await stateProblem(runtime, directory, id));
    if (problem !== undefined) {
      problems.push({ file: names[index] ?? "", problem });
    } else if (id !== undefined) {
      wholeCount++;
    }
  }
  const severity = wholeCount === 0 ? "damage" : "hint";
  return problems.map((problem) => ({ severity, ...problem }));
}

async function stateProblem(
  runtime: JournalRuntime,
  directory: string,
  id: SnapshotId,
): Promise<string | undefined> {
  try {
    const reader = await StateSnapshotReader.open({ runtime, directory, id });
    await reader.close();
    return undefined;
  } catch (error) {
    if (isMillraceError(error) && error.code === "CORRUPT_MESSAGE") {
      return "the snapshot is damaged or cut off";
    }
    throw error;
  }
}

async function verifyProducers(
  { compute, fileSystem }: JournalRuntime,
  directory: string,
  names: readonly string[],
): Promise<readonly SnapshotProblem[]> {
  const decoders = [
    [PRODUCER_SNAPSHOT_SUFFIX, decodeProducerSnapshot],
    [KAFKA_SNAPSHOT_SUFFIX, decodeKafkaProducerSnapshot],
  ] as const;
  const problems: SnapshotProblem[] = [];
  for (const file of names) {
    const decode = decoders.find(([suffix]) => file.endsWith(suffix))?.[1];
    if (decode === undefined) {
      continue;
    }
    const bytes = await fileSystem.readFile(`${directory}/${file}`);
    if (decode(bytes, compute) === undefined) {
      problems.push({ severity: "hint", file, problem: "the producer snapshot is damaged" });
    }
  }
  return problems;
}
