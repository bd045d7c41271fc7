// How `consume` prints a record: its value, a template in the manner of kcat, or JSON. Pure.

import { InvalidArgumentError } from "commander";
import { unescapeText } from "../parse.js";
import { type JsonBytes, jsonBytes, jsonLine } from "./json.js";
import { formatTimestamp } from "./numbers.js";
import { escapeControls } from "./text.js";

export interface PrintableRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

/** Gives the whole text to write for a record, its end of line included. */
export type RecordFormat = (record: PrintableRecord) => string;

export interface RecordFormatOptions {
  /** Escapes what could drive a terminal. */
  readonly escapesControls: boolean;
}

const decoder = new TextDecoder();
const decode = (bytes: Uint8Array | null): string => (bytes === null ? "" : decoder.decode(bytes));

const headerText = (record: PrintableRecord): string =>
  record.headers.map((header) => `${header.key}=${decode(header.value)}`).join(",");

type Part = (record: PrintableRecord) => string;

const directives: Readonly<Record<string, Part>> = {
  t: (record) => record.topic,
  p: (record) => String(record.partition),
  o: (record) => String(record.offset),
  k: (record) => decode(record.key),
  K: (record) => String(record.key?.length ?? -1),
  v: (record) => decode(record.value),
  V: (record) => String(record.value?.length ?? -1),
  T: (record) => String(record.timestamp),
  d: (record) => formatTimestamp(record.timestamp),
  h: headerText,
  "%": () => "%",
};

export const templateHelp =
  "%t topic, %p partition, %o offset, %k key, %v value, %T timestamp, %d date, %h headers, %K %V lengths";

/** Which parts come from a record's bytes and so need escaping on a terminal. */
const fromRecord = new Set(["k", "v", "h"]);

function compileTemplate(template: string, options: RecordFormatOptions): RecordFormat {
  const parts: Part[] = [];
  for (const match of template.matchAll(/%(.?)|[^%]+/gs)) {
    const letter = match[1];
    if (letter === undefined) {
      const literal = unescapeText(match[0]);
      parts.push(() => literal);
      continue;
    }
    const directive = directives[letter];
    if (directive === undefined) {
      throw new InvalidArgumentError(`%${letter} means nothing. There is: ${templateHelp}.`);
    }
    const mustEscape = options.escapesControls && fromRecord.has(letter);
    parts.push(mustEscape ? (record) => escapeControls(directive(record)) : directive);
  }
  return (record) => parts.map((part) => part(record)).join("");
}

export interface JsonRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: JsonBytes;
  readonly value: JsonBytes;
  readonly headers: readonly { readonly key: string; readonly value: JsonBytes }[];
}

export function jsonRecord(record: PrintableRecord): JsonRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: jsonBytes(record.key),
    value: jsonBytes(record.value),
    headers: record.headers.map((header) => ({ key: header.key, value: jsonBytes(header.value) })),
  };
}

/** `value`, `json`, or a template; a template without a line end gets none. */
export function compileRecordFormat(format: string, options: RecordFormatOptions): RecordFormat {
  if (format === "json") {
    // JSON escapes control characters by itself, except DEL and the C1 range.
    return (record) => {
      const line = jsonLine(jsonRecord(record));
      return `${options.escapesControls ? escapeControls(line) : line}\n`;
    };
  }
  if (format === "value") {
    return compileTemplate("%v\\n", options);
  }
  return compileTemplate(format, options);
}
