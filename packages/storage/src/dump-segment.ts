// Looking into a segment's files without changing anything: batches, records, index entries. For `millrace log dump`.

import {
  type BatchHeader,
  type DecodedRecord,
  isBatchCrcValid,
  isMillraceError,
  RECORD_BATCH_HEADER_BYTES,
  readBatch,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute, FileHandle, FileSystem } from "@millrace/runtime";
import {
  decodeKafkaProducerSnapshot,
  type KafkaProducerEntry,
} from "./core/kafka-producer-snapshot.js";
import { OffsetIndex } from "./core/offset-index.js";
import { decodeProducerSnapshot, type ProducerSnapshot } from "./core/producer-snapshot.js";
import { parseSegmentFileName } from "./core/segment-name.js";
import { TimeIndex } from "./core/time-index.js";
import { readFully } from "./files.js";

const DECOMPRESSED_BYTES_MAX = 1024 * 1024 * 1024;

export interface DumpOptions {
  readonly compute: Compute;
  /** Decode the records too. Default false. */
  readonly records?: boolean | undefined;
}

export interface DumpedBatch {
  readonly position: number;
  readonly header: BatchHeader;
  readonly isCrcValid: boolean;
  /** Empty unless asked for, or when they cannot be read (then `problem` says why). */
  readonly records: readonly DecodedRecord[];
  /** What is wrong with the batch, or with what follows instead of one. */
  readonly problem: string | undefined;
}

/** What follows the last readable batch of a damaged or torn file. */
export interface DumpedRest {
  readonly position: number;
  readonly sizeBytes: number;
  readonly problem: string;
}

export type DumpedItem =
  | { readonly kind: "batch"; readonly batch: DumpedBatch }
  | { readonly kind: "rest"; readonly rest: DumpedRest };

/** The batches of a `.log` file in order; at its first unreadable place the rest, and the end. */
export async function* dumpSegment(
  fileSystem: FileSystem,
  path: string,
  options: DumpOptions,
): AsyncGenerator<DumpedItem, void, undefined> {
  const file = await fileSystem.open(path, "read");
  try {
    const size = await file.size();
    let position = 0;
    while (position < size) {
      const found = await loadBatch(file, position, size);
      if (typeof found === "string") {
        const rest = { position, sizeBytes: size - position, problem: found };
        yield { kind: "rest", rest };
        return;
      }
      yield { kind: "batch", batch: await describe(found, position, options) };
      position += found.header.sizeBytes;
    }
  } finally {
    await file.close();
  }
}

/** The entries of an `.index` file: last offset of a batch and where it begins. */
export async function dumpOffsetIndex(
  fileSystem: FileSystem,
  path: string,
): Promise<{ lastOffset: number; position: number }[]> {
  const index = new OffsetIndex(baseOffsetOf(path), await fileSystem.readFile(path));
  return Array.from({ length: index.entryCount }, (_, entry) => index.at(entry));
}

/** The entries of a `.timeindex` file. */
export async function dumpTimeIndex(
  fileSystem: FileSystem,
  path: string,
): Promise<{ timestamp: number; offset: number }[]> {
  const index = new TimeIndex(baseOffsetOf(path), await fileSystem.readFile(path));
  return Array.from({ length: index.entryCount }, (_, entry) => index.at(entry));
}

/** What Kafka's `.snapshot` file holds; undefined when it is damaged. */
export async function dumpKafkaProducerSnapshot(
  fileSystem: FileSystem,
  path: string,
  compute: Pick<Compute, "crc32c">,
): Promise<readonly KafkaProducerEntry[] | undefined> {
  return decodeKafkaProducerSnapshot(await fileSystem.readFile(path), compute);
}

/** What a `.producer-state` file holds; undefined when it is damaged. */
export async function dumpProducerSnapshot(
  fileSystem: FileSystem,
  path: string,
  compute: Pick<Compute, "crc32c">,
): Promise<ProducerSnapshot | undefined> {
  return decodeProducerSnapshot(await fileSystem.readFile(path), compute);
}

interface LoadedBatch {
  readonly header: BatchHeader;
  readonly bytes: Uint8Array;
}

async function loadBatch(
  file: FileHandle,
  position: number,
  size: number,
): Promise<LoadedBatch | string> {
  const head = await readFully(
    file,
    position,
    Math.min(RECORD_BATCH_HEADER_BYTES, size - position),
  );
  try {
    const header = readBatchHeader(head ?? new Uint8Array(0));
    if (header.sizeBytes > size - position) {
      return `the batch claims ${header.sizeBytes} bytes, ${size - position} are there`;
    }
    const bytes = await readFully(file, position, header.sizeBytes);
    return bytes === undefined ? "the file ends within the batch" : { header, bytes };
  } catch (error) {
    if (isMillraceError(error)) {
      return "there is no batch header here";
    }
    throw error;
  }
}

async function describe(
  { header, bytes }: LoadedBatch,
  position: number,
  options: DumpOptions,
): Promise<DumpedBatch> {
  const { compute } = options;
  const isCrcValid = isBatchCrcValid(bytes, 0, compute);
  const base = { position, header, isCrcValid };
  if (!isCrcValid) {
    return { ...base, records: [], problem: "the CRC is wrong" };
  }
  if (options.records !== true) {
    return { ...base, records: [], problem: undefined };
  }
  try {
    const limits = { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
    return { ...base, records: [...(await readBatch(bytes, 0, limits))], problem: undefined };
  } catch (error) {
    if (isMillraceError(error)) {
      return { ...base, records: [], problem: error.message };
    }
    throw error;
  }
}

/** Indexes hold relative offsets: the file's name says relative to what. A file of another name counts from 0. */
function baseOffsetOf(path: string): number {
  return parseSegmentFileName(path.slice(path.lastIndexOf("/") + 1))?.baseOffset ?? 0;
}
