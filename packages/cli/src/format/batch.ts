// A record batch and its records as `log dump` shows them. Pure.

import { type BatchHeader, type DecodedRecord, isBatchCrcValid } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { formatTimestamp } from "./numbers.js";
import { escapeControls } from "./text.js";

export interface ShownBatch {
  readonly position: number;
  readonly header: BatchHeader;
  readonly isCrcValid: boolean;
  /** Empty unless they were asked for. */
  readonly records: Iterable<DecodedRecord>;
}

export function isCrcValid(bytes: Uint8Array, compute: Compute): boolean {
  return isBatchCrcValid(bytes, 0, compute);
}

const columns = [
  ["position", 11],
  ["offsets", 19],
  ["records", 8],
  ["bytes", 9],
  ["codec", 6],
  ["epoch", 5],
  ["producer", 16],
  ["sequence", 15],
  ["timestamp", 24],
  ["crc", 8],
] as const;

const line = (cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padStart(columns[index]?.[1] ?? 0)).join("  ");

export const batchColumnsTitle: string = line(columns.map(([title]) => title));

const flagsOf = (header: BatchHeader): string[] => [
  ...(header.isTransactional ? ["transactional"] : []),
  ...(header.isControl ? ["control"] : []),
  ...(header.timestampType === "LogAppendTime" ? ["LogAppendTime"] : []),
];

export function batchLine(batch: ShownBatch): string {
  const { header } = batch;
  const hasProducer = header.producerId >= 0;
  const cells = [
    String(batch.position),
    `${header.baseOffset}..${header.lastOffset}`,
    String(header.recordCount),
    String(header.sizeBytes),
    header.codec,
    String(header.leaderEpoch),
    hasProducer ? `${header.producerId}/${header.producerEpoch}` : "-",
    hasProducer ? `${header.baseSequence}..${header.lastSequence}` : "-",
    formatTimestamp(header.maxTimestamp),
    header.crc.toString(16).padStart(8, "0"),
  ];
  const remarks = [...flagsOf(header), ...(batch.isCrcValid ? [] : ["CRC DOES NOT MATCH"])];
  return [line(cells), ...remarks].join("  ");
}

export function batchJson(batch: ShownBatch): Record<string, unknown> {
  const { attributes: _attributes, ...header } = batch.header;
  return { position: batch.position, isCrcValid: batch.isCrcValid, ...header };
}

const decoder = new TextDecoder();
const shown = (bytes: Uint8Array | null): string =>
  bytes === null ? "null" : JSON.stringify(escapeControls(decoder.decode(bytes)));

export function recordLine(record: DecodedRecord): string {
  const headers = record.headers.map((header) => `${header.key}=${shown(header.value)}`);
  const parts = [
    `${" ".repeat(13)}offset ${record.offset}`,
    formatTimestamp(record.timestamp),
    `key ${shown(record.key)}`,
    `value ${shown(record.value)}`,
    ...(headers.length === 0 ? [] : [`headers ${escapeControls(headers.join(" "))}`]),
  ];
  return parts.join("  ");
}
