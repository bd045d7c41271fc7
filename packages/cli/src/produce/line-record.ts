// From a line to a record: headers, key and value, each divided by what the user says. Bytes stay bytes.

import type { ProducerRecord } from "@millrace/client-producer";
import type { RecordHeader } from "@millrace/protocol";
import { CliError } from "../cli-failure.js";
import { exitCodes } from "../exit-codes.js";
import { type ParsedHeader, tryParseHeaders } from "../parse.js";

export interface LineRecordOptions {
  readonly topic: string;
  readonly keySeparator?: string | undefined;
  /** Divides `a=b,c=d` at the beginning of a line from the rest. */
  readonly headerSeparator?: string | undefined;
  /** A value that is just this is a tombstone. */
  readonly nullValue?: string | undefined;
  readonly partition?: number | undefined;
  /** Of every record. */
  readonly headers?: readonly ParsedHeader[] | undefined;
}

function encode(headers: readonly ParsedHeader[]): readonly RecordHeader[] {
  return headers.map(({ key, value }) => ({
    key,
    value: value === null ? null : Buffer.from(value),
  }));
}

/** The parts before and after the separator; without one in it, all of it is `rest`. */
function divide(
  line: Buffer,
  separator: Buffer | undefined,
): { readonly head: Buffer | undefined; readonly rest: Buffer } {
  const at = separator === undefined ? -1 : line.indexOf(separator);
  return separator === undefined || at < 0
    ? { head: undefined, rest: line }
    : { head: line.subarray(0, at), rest: line.subarray(at + separator.length) };
}

/** @throws CliError when the headers of a line are none */
function lineHeaders(text: string): readonly RecordHeader[] {
  if (text === "") {
    return [];
  }
  const headers = tryParseHeaders(text);
  if (headers === undefined) {
    throw new CliError(`${JSON.stringify(text.slice(0, 80))} are no headers.`, {
      exitCode: exitCodes.DATA,
      hint: "Headers of a line look like source=shop,trace=42.",
    });
  }
  return encode(headers);
}

/** Without a separator in it a line has no headers, or no key. */
export function lineToRecord(options: LineRecordOptions): (line: Buffer) => ProducerRecord {
  const { headerSeparator, keySeparator, nullValue, partition, topic } = options;
  const bytesOf = (text: string | undefined) =>
    text === undefined ? undefined : Buffer.from(text);
  const headerMark = bytesOf(headerSeparator);
  const keyMark = bytesOf(keySeparator);
  const nullMark = bytesOf(nullValue);
  const common = encode(options.headers ?? []);
  return (line) => {
    const { head, rest } = divide(line, headerMark);
    const { head: key, rest: value } = divide(rest, keyMark);
    return {
      topic,
      partition,
      key: key ?? null,
      value: nullMark?.equals(value) === true ? null : value,
      headers: head === undefined ? common : [...common, ...lineHeaders(head.toString())],
    };
  };
}
