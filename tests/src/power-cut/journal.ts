// The journal that the preloaded shim (shim.c) writes: decoding only.

export const operationNames = [
  "",
  "create",
  "write",
  "truncate",
  "syncStart",
  "syncEnd",
  "rename",
  "unlink",
  "mkdir",
  "rmdir",
  "open",
] as const;

export type OperationName = Exclude<(typeof operationNames)[number], "">;

export interface JournalRecord {
  readonly operation: OperationName;
  readonly fd: number;
  /** Absolute. */
  readonly path: string;
  /** Of a write: where; of a truncate: the new size. */
  readonly offset: number;
  /** Of a write: the bytes; of a rename: the new path. */
  readonly data: Uint8Array;
}

const MAGIC = 0x4d4c5243;
const HEADER_BYTES = 32;

/** All whole records; a last one that the kill cut off is left out. */
export function* readJournal(bytes: Uint8Array): Generator<JournalRecord> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;
  while (position + HEADER_BYTES <= bytes.length) {
    if (view.getUint32(position, true) !== MAGIC) {
      throw new Error(`journal: no record at byte ${position}`);
    }
    const operation = operationNames[view.getUint8(position + 4)];
    const pathLength = view.getUint32(position + 12, true);
    const dataLength = view.getUint32(position + 16, true);
    const start = position + HEADER_BYTES;
    const end = start + pathLength + dataLength;
    if (end > bytes.length) {
      return;
    }
    if (operation === undefined || operation === "") {
      throw new Error(`journal: unknown operation at byte ${position}`);
    }
    yield {
      operation,
      fd: view.getInt32(position + 8, true),
      path: new TextDecoder().decode(bytes.subarray(start, start + pathLength)),
      offset: Number(view.getBigUint64(position + 24, true)),
      data: bytes.subarray(start + pathLength, end),
    };
    position = end;
  }
}
