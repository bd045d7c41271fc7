// Kafka's small text files: offset checkpoints, the leader-epoch checkpoint, partition.metadata and
// meta.properties. Encoding and decoding only. A decoder returns undefined for damage: what a missing file means
// is the reader's decision.
//
//   offset checkpoint   "0\n" count "\n" (topic " " partition " " offset "\n")*
//   epoch checkpoint    "0\n" count "\n" (epoch " " startOffset "\n")*
//   partition.metadata  "version: 0\ntopic_id: " base64url(uuid) "\n"
//   meta.properties     ("#" comment | key "=" value "\n")*

import type { EpochEntry } from "./leader-epochs.js";
import {
  type PartitionName,
  parsePartitionDirectory,
  partitionDirectoryName,
} from "./segment-name.js";

const CHECKPOINT_VERSION = "0";

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
  return `version: 0\ntopic_id: ${uuidToBase64(topicId)}\n`;
}

/** The topic id in canonical UUID text. */
export function decodePartitionMetadata(text: string): string | undefined {
  const match = /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?$/.exec(text);
  return match?.[1] === undefined ? undefined : base64ToUuid(match[1]);
}

export function encodeProperties(properties: ReadonlyMap<string, string>): string {
  return [...properties].map(([key, value]) => `${key}=${value}\n`).join("");
}

export function decodeProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("#")) {
      properties.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
    }
  }
  return properties;
}

function encodeLines(lines: readonly string[]): string {
  return [CHECKPOINT_VERSION, String(lines.length), ...lines, ""].join("\n");
}

function decodeLines(text: string, fieldCount: number): string[][] | undefined {
  const lines = text.split("\n");
  const count = wholeNumber(lines[1]);
  if (lines[0] !== CHECKPOINT_VERSION || count === undefined || lines.at(-1) !== "") {
    return undefined;
  }
  const rows = lines.slice(2, -1).map((line) => line.split(" "));
  return rows.length === count && rows.every((row) => row.length === fieldCount) ? rows : undefined;
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
