// Every bit of every file beside the segment: hints, checkpoints, identities. Whatever is flipped, the records that are
// read are the same; or the start is refused, and says why.

import { isMillraceError, readBatch } from "@millrace/protocol";
import { type Compute, crc32c, silentLogger } from "@millrace/runtime";
import { type Log, LogManager } from "@millrace/storage";
import { withDamage } from "./damage-cases.js";
import { FrozenFiles } from "./frozen-files.js";
import { type RunResult, Tally } from "./run-cases.js";
import { type Judgement, timeless } from "./segment-judge.js";
import { LOG_DIRECTORY, RECOVERY_POINT_PATH, TOPIC, TOPIC_ID } from "./segment-scene.js";
import { buildStateScene, type StateScene } from "./state-scene.js";

interface StateFile {
  /** Or how its path ends, where that holds an offset. */
  readonly path: string;
  /** Who cannot do without it: the start is refused when it is damaged. */
  readonly isEssential?: boolean;
}

export const stateFiles: readonly StateFile[] = [
  { path: `${LOG_DIRECTORY}/00000000000000000000.index` },
  { path: `${LOG_DIRECTORY}/00000000000000000000.timeindex` },
  { path: `${LOG_DIRECTORY}/00000000000000000000.index-state` },
  { path: `${LOG_DIRECTORY}/leader-epoch-checkpoint` },
  { path: `${LOG_DIRECTORY}/partition.metadata` },
  { path: ".producer-state" },
  { path: ".snapshot" },
  { path: RECOVERY_POINT_PATH },
  { path: "/data/log-start-offset-checkpoint" },
  { path: "/data/meta.properties", isEssential: true },
];

export interface StateFileOptions {
  readonly compute: Compute;
  readonly first?: number;
  readonly stride: number;
}

/** What a reader can learn from a log. */
interface Reading {
  readonly topicId: string;
  readonly state: Log["state"];
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly latestEpoch: number;
  /** CRC-32C of all batches in order. */
  readonly batches: number;
  /** Offsets found by timestamp. */
  readonly found: readonly (number | undefined)[];
  readonly duplicates: readonly boolean[];
}

export async function runStateFileCases(options: StateFileOptions): Promise<RunResult> {
  const { first = 0, stride } = options;
  const scene = await buildStateScene(options.compute);
  const expected = JSON.stringify(await readAll(new FrozenFiles(scene.image), scene, options));
  const cases = stateFiles.flatMap((file) => {
    const path = [...scene.image.keys()].find((known) => known.endsWith(file.path));
    const bytes = path === undefined ? undefined : scene.image.get(path);
    if (path === undefined || bytes === undefined) {
      throw new Error(`there is no ${file.path}`);
    }
    return Array.from({ length: bytes.length * 8 }, (_, bit) => ({ ...file, path, bytes, bit }));
  });
  const tally = new Tally(Math.ceil((cases.length - first) / stride));
  for (let number = first; number < cases.length; number += stride) {
    const one = cases[number];
    if (one !== undefined) {
      const { path, bit, isEssential = false } = one;
      const judgement = await withDamage(one.bytes, { kind: "bit flip", at: bit }, () =>
        judge(scene, options, { expected, isEssential }),
      );
      tally.add(`bit ${bit} of ${path}`, judgement);
    }
  }
  return tally.result;
}

async function judge(
  scene: StateScene,
  options: StateFileOptions,
  file: { readonly expected: string; readonly isEssential: boolean },
): Promise<Judgement> {
  try {
    const reading = JSON.stringify(await readAll(new FrozenFiles(scene.image), scene, options));
    const problem = reading === file.expected ? undefined : `${reading}, not ${file.expected}`;
    return { verdict: "served as if nothing had happened", problem };
  } catch (error) {
    const isHonest =
      file.isEssential && isMillraceError(error) && error.message.includes("meta.properties");
    const problem = isHonest ? undefined : String(error);
    return { verdict: "refused with the reason", problem };
  }
}

async function readAll(
  fileSystem: FrozenFiles,
  scene: StateScene,
  { compute }: StateFileOptions,
): Promise<Reading> {
  const random = { fill: (target: Uint8Array) => target, float: () => 0, below: () => 0 };
  const runtime = { clock: timeless, random, fileSystem, compute, logger: silentLogger };
  const config = { reserveBytes: 0 };
  const manager = await LogManager.open({ runtime, path: "/data", nodeId: 1, config });
  const log = manager.getLog(TOPIC, 0);
  if (log === undefined) {
    throw new Error("the log is gone");
  }
  if (log.isTopicIdLost) {
    // The cluster's metadata knows the topic's id; on its word the log is adopted.
    await manager.createLog({ topic: TOPIC, topicId: TOPIC_ID, partition: 0 }, log.config);
  }
  let batches = 0;
  let offset = log.logStartOffset;
  while (offset < log.logEndOffset) {
    const options = { offset, maxBytes: 1 << 20, endOffset: log.logEndOffset, minOneBatch: true };
    const slice = await log.read(options);
    for (const chunk of slice.chunks) {
      batches = crc32c(chunk, batches);
      await readBatch(chunk, 0, { compute, maxDecompressedBytes: 1 << 20 });
    }
    offset = slice.nextOffset;
  }
  const found: (number | undefined)[] = [];
  for (const timestamp of scene.timestamps) {
    found.push((await log.offsetForTimestamp(timestamp))?.offset);
  }
  const duplicates = scene.retries.map((retry) => {
    const outcome = log.append(retry.slice(), { leaderEpoch: log.latestEpoch });
    return outcome.ok && outcome.isDuplicate;
  });
  const { topicId, state, logStartOffset, logEndOffset, latestEpoch } = log;
  return { topicId, state, logStartOffset, logEndOffset, latestEpoch, batches, found, duplicates };
}
