// Kafka's small text files: offset checkpoints, the leader-epoch checkpoint, partition.metadata and
// meta.properties. Encoding and decoding only. A decoder returns undefined for damage: what a missing file means
// is the reader's decision.
//
//   offset checkpoint   "0\n" count "\n" (topic " " partition " " offset "\n")*
//   epoch checkpoint    "0\n" count "\n" (epoch " " startOffset "\n")*
//   partition.metadata  "version: 0\ntopic_id: " base64url(uuid) "\ncrc32c: " hex "\n"
//   meta.properties     ("#" comment | key "=" value "\n")* "millrace.crc32c=" hex "\n"
//
// Kafka gives these files no checksum, and one flipped bit in a log start offset would cost records. Ours is where Kafka's
// readers look past it: behind the last line they read, a property they do not know, or (in a checkpoint, where every line
// must be an entry) 32 blanks at the end of the last row, a space for each 0 of the CRC and a tab for each 1. It covers all
// that precedes it. A file without one is taken at its word.

import { crc32c, createTextEncoder } from "@millrace/runtime";
import type { EpochEntry } from "./leader-epochs.js";
import {
  type PartitionName,
  parsePartitionDirectory,
  partitionDirectoryName,
} from "./segment-name.js";

const CHECKPOINT_VERSION = "0";
const CRC_BITS = 32;
const PROPERTIES_CRC_KEY = "millrace.crc32c";

/** By `<topic>-<partition>`. */
export type OffsetCheckpoint = ReadonlyMap<string, number>;

export function encodeOffsetCheckpoint(offsets: OffsetCheckpoint): string {
  const lines: string[] = [];
  for (const [name, offset] of offsets) {
    const { topic, partition } = parsePartitionDirectory(name) as PartitionName;
    lines.push(`${topic} ${partition} ${offset}`);
  }
  return encodeLines(lines);
}

export function decodeOffsetCheckpoint(text: string): OffsetCheckpoint | undefined {
  const offsets = new Map<string, number>();
  for (const fields of decodeLines(text, 3) ?? [undefined]) {
    const [topic, partition, offset] = fields ?? [];
    const number = wholeNumber(offset);
    const part = wholeNumber(partition);
    if (topic === undefined || part === undefined || number === undefined) {
      return undefined;
    }
    offsets.set(partitionDirectoryName(topic, part), number);
  }
  return offsets;
}

export function encodeEpochCheckpoint(entries: readonly EpochEntry[]): string {
  return encodeLines(entries.map((entry) => `${entry.epoch} ${entry.startOffset}`));
}

/** Undefined also when the entries do not rise. */
export function decodeEpochCheckpoint(text: string): EpochEntry[] | undefined {
  const entries: EpochEntry[] = [];
  for (const fields of decodeLines(text, 2) ?? [undefined]) {
    const epoch = wholeNumber(fields?.[0]);
    const startOffset = wholeNumber(fields?.[1]);
    const last = entries.at(-1);
    if (epoch === undefined || startOffset === undefined) {
      return undefined;
    }
    if (last !== undefined && (epoch <= last.epoch || startOffset <= last.startOffset)) {
      return undefined;
    }
    entries.push({ epoch, startOffset });
  }
  return entries;
}

export function encodePartitionMetadata(topicId: string): string {
  const text = `version: 0\ntopic_id: ${uuidToBase64(topicId)}\n`;
  return `${text}crc32c: ${crcHex(text)}\n`;
}

/** The topic id in canonical UUID text. */
export function decodePartitionMetadata(text: string): string | undefined {
  const match = /^(version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?)(?:crc32c: ([0-9a-f]{8})\n)?$/.exec(
    text,
  );
  const [, covered = "", id, crc] = match ?? [];
  const isGenuine = id !== undefined && (crc === undefined || crc === crcHex(covered));
  return isGenuine ? base64ToUuid(id) : undefined;
}

export function encodeProperties(properties: ReadonlyMap<string, string>): string {
  const text = [...properties].map(([key, value]) => `${key}=${value}\n`).join("");
  return `${text}${PROPERTIES_CRC_KEY}=${crcHex(text)}\n`;
}

/** Undefined when the checksum says so. */
export function decodeProperties(text: string): Map<string, string> | undefined {
  const properties = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("#")) {
      properties.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
    }
  }
  const crc = properties.get(PROPERTIES_CRC_KEY);
  properties.delete(PROPERTIES_CRC_KEY);
  const at = text.indexOf(PROPERTIES_CRC_KEY);
  return at < 0 || crc === crcHex(text.slice(0, at)) ? properties : undefined;
}

function crcHex(text: string): string {
  return crc32c(createTextEncoder().encode(text)).toString(16).padStart(8, "0");
}

function encodeLines(lines: readonly string[]): string {
  const text = [CHECKPOINT_VERSION, String(lines.length), ...lines].join("\n");
  return lines.length === 0 ? `${text}\n` : `${text}${crcBlanks(text)}\n`;
}

function decodeLines(text: string, fieldCount: number): string[][] | undefined {
  const content = withoutCrc(text);
  const lines = content?.split("\n") ?? [];
  const count = wholeNumber(lines[1]);
  if (lines[0] !== CHECKPOINT_VERSION || count === undefined || lines.at(-1) !== "") {
    return undefined;
  }
  const rows = lines.slice(2, -1).map((line) => line.split(" "));
  return rows.length === count && rows.every((row) => row.length === fieldCount) ? rows : undefined;
}

/** The text as Kafka would write it; undefined when the checksum does not fit. */
function withoutCrc(text: string): string | undefined {
  const covered = text.replace(/[ \t]+\n$/, "");
  if (covered === text) {
    return text;
  }
  return text === `${covered}${crcBlanks(covered)}\n` ? `${covered}\n` : undefined;
}

function crcBlanks(text: string): string {
  const bits = crc32c(createTextEncoder().encode(text)).toString(2).padStart(CRC_BITS, "0");
  return bits.replaceAll("0", " ").replaceAll("1", "\t");
}

function wholeNumber(text: string | undefined): number | undefined {
  const number = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Kafka writes UUIDs as 22 characters of base64url. */
export function uuidToBase64(uuid: string): string {
  // 128 bits and 4 of padding are 22 digits of 6.
  let bits = BigInt(`0x${uuid.replaceAll("-", "")}`) << 4n;
  let text = "";
  for (let digit = 0; digit < 22; digit++) {
    text = base64Digits.charAt(Number(bits & 63n)) + text;
    bits >>= 6n;
  }
  return text;
}

export function base64ToUuid(text: string): string {
  let bits = 0n;
  for (const character of text) {
    bits = (bits << 6n) | BigInt(base64Digits.indexOf(character));
  }
  const hex = (bits >> 4n).toString(16).padStart(32, "0");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
