// The files `commit-journal-0` and `commit-journal-1`, Millrace's own: bytes that were written to log files and are
// durable here first. A file is one generation: a header with a salt, then frames, each written and synced as a whole.
// All checksums of a generation begin with its salt, so nothing that an earlier one left behind, and nothing inside
// a record, can pass for a frame. Integers are big-endian. Pure: bytes in, bytes out.
//
// One damaged sector hides no more than the extents in it: the header stands in two sectors, a frame is found again behind
// a bad one, and what says that something is to be forgotten is said often enough.
//
//   header   0 magic "MRCJ"    4 version uint16 (1)   6 reserved uint16   8 crc32c uint32 of the 12 bytes that follow
//           12 salt uint32    16 generation int64    512 the same again    1024 the first frame
//   frame    0 body bytes uint32   4 crc32c uint32 of these four bytes   8 crc32c uint32 of the body   12 the body: entries
//   entry    0 kind uint8 (1 extent, 2 forget)   1 reserved uint8   2 name bytes uint16   4 extent bytes uint32
//            8 segment's base offset int64      16 position in its log file int64     24 name, then the extent

import { type Compute, createTextDecoder } from "@millrace/runtime";

export const JOURNAL_FILES = ["commit-journal-0", "commit-journal-1"] as const;
/** What a disk loses at once. */
const SECTOR_BYTES = 512;
/** With its copy. */
export const JOURNAL_HEADER_BYTES = 2 * SECTOR_BYTES;
const HEADER_COPY_BYTES = 24;
export const JOURNAL_FRAME_HEADER_BYTES = 12;
/** Of a frame's body, unless it holds one entry only. */
export const JOURNAL_BODY_BYTES_MAX = 1024 * 1024;
const ENTRY_HEADER_BYTES = 24;
const MAGIC = 0x4d52434a;
const VERSION = 1;
const EXTENT = 1;
const FORGET = 2;

type Checksum = Pick<Compute, "crc32c">;

export interface JournalHeader {
  readonly salt: number;
  /** Grows by one with each; the older generation is replayed first. */
  readonly generation: number;
}

/** Bytes of a log file, back to back. */
export interface JournalExtent {
  readonly kind: "extent";
  /** The log's directory, in the data directory: ASCII, as topic names are. */
  readonly name: string;
  /** Of the segment whose file it is. */
  readonly baseOffset: number;
  readonly position: number;
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** Nothing that stands before it about this log is to be replayed. */
export interface JournalForget {
  readonly kind: "forget";
  readonly name: string;
}

export type JournalEntry = JournalExtent | JournalForget;

/** An entry as it was found: its extent is at `from` in the frame's body. */
export type FoundEntry =
  | (Omit<JournalExtent, "chunks"> & { readonly from: number })
  | JournalForget;

export function encodeJournalHeader(header: JournalHeader, compute: Checksum): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_HEADER_BYTES);
  const view = new DataView(bytes.buffer, 0, HEADER_COPY_BYTES);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  view.setUint32(12, header.salt);
  view.setBigInt64(16, BigInt(header.generation));
  view.setUint32(8, compute.crc32c(bytes.subarray(12, HEADER_COPY_BYTES)));
  bytes.copyWithin(SECTOR_BYTES, 0, HEADER_COPY_BYTES);
  return bytes;
}

/** Undefined for anything that is not of this version, or has no undamaged copy. */
export function decodeJournalHeader(
  bytes: Uint8Array,
  compute: Checksum,
): JournalHeader | undefined {
  for (const at of [0, SECTOR_BYTES]) {
    const header = decodeHeaderCopy(bytes.subarray(at, at + HEADER_COPY_BYTES), compute);
    if (header !== undefined) {
      return header;
    }
  }
  return undefined;
}

function decodeHeaderCopy(bytes: Uint8Array, compute: Checksum): JournalHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole =
    bytes.length === HEADER_COPY_BYTES &&
    view.getUint32(0) === MAGIC &&
    view.getUint16(4) === VERSION &&
    view.getUint32(8) === compute.crc32c(bytes.subarray(12));
  return isWhole
    ? { salt: view.getUint32(12), generation: Number(view.getBigInt64(16)) }
    : undefined;
}

/** What an entry takes in a frame. */
export function journalEntryBytes(entry: JournalEntry): number {
  const extentBytes = entry.kind === "extent" ? entry.sizeBytes : 0;
  return ENTRY_HEADER_BYTES + entry.name.length + extentBytes;
}

/** @param sizeBytes the sum of `journalEntryBytes` */
export function encodeJournalFrame(
  entries: readonly JournalEntry[],
  sizeBytes: number,
  options: { readonly salt: number; readonly compute: Checksum },
): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_FRAME_HEADER_BYTES + sizeBytes);
  const view = new DataView(bytes.buffer);
  let at = JOURNAL_FRAME_HEADER_BYTES;
  for (const entry of entries) {
    at = putEntry({ bytes, view }, entry, at);
  }
  const { salt, compute } = options;
  view.setUint32(0, sizeBytes);
  view.setUint32(4, compute.crc32c(bytes.subarray(0, 4), salt));
  view.setUint32(8, compute.crc32c(bytes.subarray(JOURNAL_FRAME_HEADER_BYTES), salt));
  return bytes;
}

function putEntry(
  frame: { readonly bytes: Uint8Array; readonly view: DataView },
  entry: JournalEntry,
  start: number,
): number {
  const { bytes, view } = frame;
  const { name } = entry;
  view.setUint8(start, entry.kind === "extent" ? EXTENT : FORGET);
  view.setUint16(start + 2, name.length);
  let at = start + ENTRY_HEADER_BYTES;
  for (let index = 0; index < name.length; index++) {
    bytes[at++] = name.charCodeAt(index);
  }
  if (entry.kind === "extent") {
    view.setUint32(start + 4, entry.sizeBytes);
    view.setBigInt64(start + 8, BigInt(entry.baseOffset));
    view.setBigInt64(start + 16, BigInt(entry.position));
    for (const chunk of entry.chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
  }
  return at;
}

export interface JournalFrameHeader {
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

/**
 * How often a frame of so many bytes is written, one behind the other, so that a lost sector, or any one flipped bit, leaves
 * it to be found.
 */
export function copiesThatSurvive(frameBytes: number): number {
  return Math.ceil(SECTOR_BYTES / frameBytes) + 2;
}

/** Undefined when no frame of this generation begins here. */
export function decodeJournalFrameHeader(
  bytes: Uint8Array,
  options: { readonly salt: number; readonly compute: Checksum },
): JournalFrameHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOurs =
    bytes.length === JOURNAL_FRAME_HEADER_BYTES &&
    view.getUint32(4) === options.compute.crc32c(bytes.subarray(0, 4), options.salt);
  return isOurs ? { bodyBytes: view.getUint32(0), bodyCrc: view.getUint32(8) } : undefined;
}

/** Of a body whose checksum is right; undefined when it is not what this version writes all the same. */
export function decodeJournalEntries(body: Uint8Array): FoundEntry[] | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const decoder = createTextDecoder();
  const entries: FoundEntry[] = [];
  let at = 0;
  while (at < body.length) {
    const nameAt = at + ENTRY_HEADER_BYTES;
    if (nameAt > body.length) {
      return undefined;
    }
    const kind = view.getUint8(at);
    const from = nameAt + view.getUint16(at + 2);
    const sizeBytes = view.getUint32(at + 4);
    if (from + sizeBytes > body.length || (kind !== EXTENT && kind !== FORGET)) {
      return undefined;
    }
    const name = decoder.decode(body.subarray(nameAt, from));
    entries.push(
      kind === FORGET
        ? { kind: "forget", name }
        : {
            kind: "extent",
            name,
            baseOffset: Number(view.getBigInt64(at + 8)),
            position: Number(view.getBigInt64(at + 16)),
            sizeBytes,
            from,
          },
    );
    at = from + sizeBytes;
  }
  return entries;
}
