// The file `<end offset>-<epoch>.checkpoint`: the state of a replicated state machine after all records before the end
// offset, as Kafka names and frames it. It is a row of record batches (v2) whose offsets count from 0: a control batch
// with a SnapshotHeader, batches of records, a control batch with a SnapshotFooter. What must hold between them is here;
// reading and writing are in state-snapshot-reader.ts and state-snapshot-writer.ts. Pure.
//
//   control record key    version int16 (0), type int16 (3 header, 4 footer)
//   header value          version int16 (0), time of the last record int64, tagged fields (none: 0)
//   footer value          version int16 (0), tagged fields (none: 0)

import {
  type BatchHeader,
  decodeRecords,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatchBuilder,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";

export const STATE_SNAPSHOT_SUFFIX = ".checkpoint";
/** Added while it is written. */
export const PARTIAL_SUFFIX = ".part";

const OFFSET_DIGITS = 20;
const EPOCH_DIGITS = 10;
const INT32_MAX = 2 ** 31 - 1;
const KEY_BYTES = 4;
const HEADER_TYPE = 3;
const FOOTER_TYPE = 4;
const HEADER_VALUE_BYTES = 11;
const FOOTER_VALUE_BYTES = 3;

export interface SnapshotId {
  /** Exclusive: the state is that after all records before it. */
  readonly endOffset: number;
  /** The leader epoch of the last of those records. */
  readonly epoch: number;
}

export function snapshotFileName({ endOffset, epoch }: SnapshotId): string {
  const offset = String(endOffset).padStart(OFFSET_DIGITS, "0");
  return `${offset}-${String(epoch).padStart(EPOCH_DIGITS, "0")}${STATE_SNAPSHOT_SUFFIX}`;
}

/** Undefined for any other name. */
export function parseSnapshotFileName(name: string): SnapshotId | undefined {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name);
  const endOffset = Number(match?.[1]);
  const epoch = Number(match?.[2]);
  return Number.isSafeInteger(endOffset) && epoch <= INT32_MAX ? { endOffset, epoch } : undefined;
}

export interface ControlBatchOptions {
  readonly id: SnapshotId;
  /** The batch's offset: how many records stand before it. */
  readonly baseOffset: number;
  readonly timestampMs: number;
  readonly compute: Pick<Compute, "crc32c">;
}

/** The first batch. `timestampMs`: of the last record that the state contains. */
export function headerBatch(options: Omit<ControlBatchOptions, "baseOffset">): Uint8Array {
  const value = new Uint8Array(HEADER_VALUE_BYTES);
  new DataView(value.buffer).setBigInt64(2, BigInt(options.timestampMs));
  return controlBatch({ ...options, baseOffset: 0 }, HEADER_TYPE, value);
}

/** The last batch. Its offset says how many records there are before it. */
export function footerBatch(options: ControlBatchOptions): Uint8Array {
  return controlBatch(options, FOOTER_TYPE, new Uint8Array(FOOTER_VALUE_BYTES));
}

function controlBatch(options: ControlBatchOptions, type: number, value: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  new DataView(key.buffer).setInt16(2, type);
  const { id, baseOffset, timestampMs: timestamp, compute } = options;
  const builder = new RecordBatchBuilder();
  builder.append({ key, value, timestamp });
  return builder.build({ compute, baseOffset, leaderEpoch: id.epoch, isControl: true });
}

/** Follows the batches of one snapshot, whose CRCs were checked, and says what is wrong with them. */
export class SnapshotSequence {
  readonly #epoch: number;
  #nextOffset = 0;
  #isClosed = false;
  #timestampMs = -1;

  constructor(id: SnapshotId) {
    this.#epoch = id.epoch;
  }

  /** Of the last record that the state contains. */
  get timestampMs(): number {
    return this.#timestampMs;
  }

  /** Records, header and footer not counted. */
  get recordCount(): number {
    return Math.max(0, this.#nextOffset - 2);
  }

  /** @param batch the whole batch, header included. Returns what is wrong; undefined when nothing is. */
  accept(header: BatchHeader, batch: Uint8Array): string | undefined {
    if (this.#isClosed) {
      return "something follows its footer";
    }
    if (header.baseOffset !== this.#nextOffset) {
      return `a batch begins at ${header.baseOffset}, ${this.#nextOffset} is next`;
    }
    if (header.leaderEpoch !== this.#epoch) {
      return `a batch has epoch ${header.leaderEpoch}, its name says ${this.#epoch}`;
    }
    if (header.codec !== "none" || header.recordCount !== header.lastOffsetDelta + 1) {
      return "a batch is compressed or has gaps";
    }
    const isFirst = this.#nextOffset === 0;
    this.#nextOffset = header.lastOffset + 1;
    if (isFirst || header.isControl) {
      return this.#acceptControl(header, batch, isFirst);
    }
    return undefined;
  }

  /** What is missing at the end of the file; undefined when nothing is. */
  finish(): string | undefined {
    return this.#isClosed ? undefined : "its footer is missing";
  }

  #acceptControl(header: BatchHeader, batch: Uint8Array, isFirst: boolean): string | undefined {
    const type = isFirst ? HEADER_TYPE : FOOTER_TYPE;
    const valueBytes = isFirst ? HEADER_VALUE_BYTES : FOOTER_VALUE_BYTES;
    const records = [...decodeRecords(header, batch.subarray(RECORD_BATCH_HEADER_BYTES))];
    const key = records[0]?.key ?? new Uint8Array(0);
    const value = records[0]?.value ?? new Uint8Array(0);
    const isWhole =
      header.isControl &&
      records.length === 1 &&
      key.length === KEY_BYTES &&
      int16(key, 0) === 0 &&
      int16(key, 2) === type &&
      value.length >= valueBytes &&
      int16(value, 0) === 0;
    if (!isWhole) {
      return isFirst ? "its header is missing, or of a newer version" : "its footer is malformed";
    }
    this.#isClosed = !isFirst;
    if (isFirst) {
      this.#timestampMs = header.maxTimestamp;
    }
    return undefined;
  }
}

function int16(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt16(at);
}
