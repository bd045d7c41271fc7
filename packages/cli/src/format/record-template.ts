// How `consume` prints a record: its value, a template in the manner of kcat, or JSON. Pure.

import { usageError } from "../cli-error.js";
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

export interface RecordFormat {
  /** The whole text to write for a record, its end of line included. */
  print(record: PrintableRecord): string;
  /**
   * How the text is to be written. `latin1` where bytes go through as they are: each character stands for one.
   */
  readonly encoding: "utf8" | "latin1";
}

export interface RecordFormatOptions {
  /** Somebody looks: text is UTF-8, and what could drive a terminal is escaped. Else bytes stay bytes. */
  readonly escapesControls: boolean;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How the parts of a record become text. */
interface Encoder {
  bytes(bytes: Uint8Array | null): string;
  text(text: string): string;
}

const terminalEncoder: Encoder = {
  bytes: (bytes) => (bytes === null ? "" : escapeControls(decoder.decode(bytes))),
  text: escapeControls,
};

const byteEncoder: Encoder = {
  bytes: (bytes) =>
    bytes === null
      ? ""
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"),
  text: (text) => Buffer.from(text, "utf8").toString("latin1"),
};

type Part = (record: PrintableRecord, encoder: Encoder) => string;

const headerText: Part = (record, encoder) =>
  record.headers
    .map((header) => `${encoder.text(header.key)}=${encoder.bytes(header.value)}`)
    .join(",");

const directives: Readonly<Record<string, Part>> = {
  t: (record) => record.topic,
  p: (record) => String(record.partition),
  o: (record) => String(record.offset),
  k: (record, encoder) => encoder.bytes(record.key),
  K: (record) => String(record.key?.length ?? -1),
  v: (record, encoder) => encoder.bytes(record.value),
  V: (record) => String(record.value?.length ?? -1),
  T: (record) => String(record.timestamp),
  d: (record) => formatTimestamp(record.timestamp),
  h: headerText,
  "%": () => "%",
};

export const templateHelp =
  "%t topic, %p partition, %o offset, %k key, %v value, %T timestamp, %d date, %h headers, %K %V lengths";

function compileTemplate(template: string, options: RecordFormatOptions): RecordFormat {
  const encoder = options.escapesControls ? terminalEncoder : byteEncoder;
  const parts: Part[] = [];
  for (const match of template.matchAll(/%(.?)|[^%]+/gs)) {
    const letter = match[1];
    if (letter === undefined) {
      // What the user typed is meant: colours in a template are welcome.
      const typed = unescapeText(match[0]);
      const literal = options.escapesControls ? typed : byteEncoder.text(typed);
      parts.push(() => literal);
      continue;
    }
    const directive = directives[letter];
    if (directive === undefined) {
      throw usageError(`--format: %${letter} means nothing. There is: ${templateHelp}.`);
    }
    parts.push(directive);
  }
  return {
    encoding: options.escapesControls ? "utf8" : "latin1",
    print: (record) => parts.map((part) => part(record, encoder)).join(""),
  };
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

const namedTemplates: Readonly<Record<string, string>> = {
  value: "%v\\n",
  "key-value": "%k\\t%v\\n",
  long: "%d  %p@%o  %k  %v  %h\\n",
};

export const formatNames = "value, key-value, long, json";

/** `value`, `key-value`, `long`, `json`, or a template; a template without a line end gets none. */
export function compileRecordFormat(format: string, options: RecordFormatOptions): RecordFormat {
  if (format === "json") {
    // JSON escapes control characters by itself, except DEL and the C1 range.
    return {
      encoding: "utf8",
      print: (record) => {
        const line = jsonLine(jsonRecord(record));
        return `${options.escapesControls ? escapeControls(line) : line}\n`;
      },
    };
  }
  const named = Object.hasOwn(namedTemplates, format) ? namedTemplates[format] : undefined;
  return compileTemplate(named ?? format, options);
}
