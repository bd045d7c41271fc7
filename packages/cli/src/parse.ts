// Values as people type them on a command line: counts, sizes, durations, positions, key=value. Pure; a value
// that cannot be one throws commander's InvalidArgumentError, which becomes a usage error naming the option.

import { InvalidArgumentError } from "commander";

const countUnits: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1e9,
  gib: 1024 ** 3,
};
const durationUnits: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function parseWithUnit(
  text: string,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const match = /^(\d[\d_]*(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = units[(match?.[2] ?? "").toLowerCase()];
  const value = Number((match?.[1] ?? "").replaceAll("_", "")) * (factor ?? Number.NaN);
  if (match === null || factor === undefined || !Number.isSafeInteger(Math.round(value))) {
    throw new InvalidArgumentError(`Expected something like ${example}.`);
  }
  return Math.round(value);
}

/** 0 or more: `250000`, `250_000`, `250k`. */
export function parseCount(text: string): number {
  return parseWithUnit(text, countUnits, "100000, 100_000 or 100k");
}

/** 1 or more. */
export function parsePositiveCount(text: string): number {
  const count = parseCount(text);
  if (count < 1) {
    throw new InvalidArgumentError("Expected 1 or more.");
  }
  return count;
}

/** Bytes: `1024`, `64k` and `64KiB` (1024s), `64kB` (1000s). */
export function parseBytes(text: string): number {
  return parseWithUnit(text, byteUnits, "1024, 64k or 1MiB");
}

/** Milliseconds: `250`, `250ms`, `10s`, `5m`, `2h`, `7d`. */
export function parseDurationMs(text: string): number {
  return parseWithUnit(text, durationUnits, "500ms, 10s or 5m");
}

/** Seconds, fractions allowed: `10`, `2.5`, `500ms`, `1m`. */
export function parseSeconds(text: string): number {
  const milliseconds = /^[\d._]+$/.test(text.trim())
    ? parseWithUnit(`${text.trim()}s`, durationUnits, "10 or 2.5")
    : parseDurationMs(text);
  if (milliseconds <= 0) {
    throw new InvalidArgumentError("Expected more than 0.");
  }
  return milliseconds / 1000;
}

export function parsePartition(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new InvalidArgumentError("Expected a partition number: 0, 1, 2, ...");
  }
  return Number(text);
}

export type Acks = 0 | 1 | "all";

export function parseAcks(text: string): Acks {
  switch (text) {
    case "0":
      return 0;
    case "1":
      return 1;
    case "all":
    case "-1":
      return "all";
    default:
      throw new InvalidArgumentError("Expected 0, 1 or all.");
  }
}

/** Collects repeated `key=value` options into one object. */
export function collectKeyValue(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const separator = text.indexOf("=");
  if (separator < 1) {
    throw new InvalidArgumentError("Expected KEY=VALUE, such as retention.ms=86400000.");
  }
  return { ...previous, [text.slice(0, separator).trim()]: text.slice(separator + 1) };
}

/** Where a consumer starts; the shape of the consumer's `from`. */
export type StartPosition =
  | "earliest"
  | "latest"
  | { readonly offset: number }
  | { readonly timestamp: number }
  | { readonly last: number };

const positionForms =
  "Expected earliest, latest, offset:N, last:N, a duration back from now (10m), or a date (2026-01-31T12:00Z).";

/** ISO 8601; a time without a zone is local. */
const ISO_DATE =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

function parseTimestamp(text: string): number {
  if (/^\d+$/.test(text)) {
    return Number(text);
  }
  return ISO_DATE.test(text) ? Date.parse(text) : Number.NaN;
}

/** Milliseconds of `10m`, `1.5h`, `7d`; undefined without a unit. */
function durationBack(text: string): number | undefined {
  return /^\d[\d_.]*\s*(?:ms|s|m|h|d)$/i.test(text) ? parseDurationMs(text) : undefined;
}

/**
 * `earliest`, `latest`, `offset:42`, `last:10`, `10m` (what came in the last ten minutes), a date, and
 * `timestamp:T` with milliseconds or a date.
 */
export function parseStartPosition(text: string, nowMs: number = Date.now()): StartPosition {
  if (text === "earliest" || text === "latest") {
    return text;
  }
  const back = durationBack(text);
  if (back !== undefined) {
    return { timestamp: Math.max(0, nowMs - back) };
  }
  const match = /^(offset|timestamp|last):(.*)$/s.exec(text);
  const kind = match?.[1] ?? "timestamp";
  const argument = match?.[2] ?? (ISO_DATE.test(text) ? text : "");
  const number = kind === "timestamp" ? parseTimestamp(argument) : Number(argument || Number.NaN);
  if (!Number.isSafeInteger(number) || number < 0 || argument === "") {
    throw new InvalidArgumentError(positionForms);
  }
  switch (kind) {
    case "offset":
      return { offset: number };
    case "last":
      return { last: number };
    default:
      return { timestamp: number };
  }
}

/** More than any topic has. */
const PARTITIONS_MAX = 100_000;

/** `0`, `0,2,5` and `0,2,5-7`; ascending, each once. Repeated options add up. */
export function parsePartitions(text: string, previous: readonly number[] = []): number[] {
  const partitions = new Set(previous);
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(part);
    const first = Number(match?.[1] ?? Number.NaN);
    const last = Number(match?.[2] ?? first);
    if (match === null || last < first || last - first >= PARTITIONS_MAX) {
      throw new InvalidArgumentError("Expected partition numbers: 0, or 0,2,5-7.");
    }
    for (let partition = first; partition <= last; partition += 1) {
      partitions.add(partition);
    }
  }
  return [...partitions].sort((left, right) => left - right);
}

export interface ParsedHeader {
  readonly key: string;
  /** null: the header is there without a value. */
  readonly value: string | null;
}

/**
 * `a=b,c=d`. A backslash takes the meaning from the `,`, `=` or backslash behind it; a name without `=` has no
 * value. @returns undefined when it cannot be that
 */
export function tryParseHeaders(text: string): ParsedHeader[] | undefined {
  const headers: ParsedHeader[] = [];
  for (const [pair] of text.matchAll(/(?:\\.|[^,\\])+/gs)) {
    const at = /^(?:\\.|[^=\\])*/s.exec(pair)?.[0].length ?? 0;
    const plain = (part: string): string => part.replace(/\\(.)/gs, "$1");
    const key = plain(pair.slice(0, at)).trim();
    if (key === "") {
      return undefined;
    }
    headers.push({ key, value: at < pair.length ? plain(pair.slice(at + 1)) : null });
  }
  return headers.length === 0 ? undefined : headers;
}

/** Repeated options add up: a record may carry a name more than once. */
export function parseHeaders(text: string, previous: readonly ParsedHeader[] = []): ParsedHeader[] {
  const headers = tryParseHeaders(text);
  if (headers === undefined) {
    throw new InvalidArgumentError("Expected NAME=VALUE pairs: source=shop,trace=42.");
  }
  return [...previous, ...headers];
}

/** A separator as typed: `\t` and friends mean the character. */
export function parseSeparator(text: string): string {
  const separator = unescapeText(text);
  if (separator === "") {
    throw new InvalidArgumentError("Expected at least one character.");
  }
  return separator;
}

/** Replaces `\n`, `\r`, `\t`, `\0`, `\e` and `\\` by what they mean; anything else stays. */
export function unescapeText(text: string): string {
  const meanings: Readonly<Record<string, string>> = {
    n: "\n",
    r: "\r",
    t: "\t",
    "0": "\0",
    e: "\u001b",
    "\\": "\\",
  };
  return text.replace(/\\([nrt0e\\])/g, (_, letter: string) => meanings[letter] ?? letter);
}
