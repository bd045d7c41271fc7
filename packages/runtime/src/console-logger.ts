// A small logger that writes one line per entry to a given function: JSON for machines, or text for a terminal.
// It never throws, and no field can break out of its line. Rotation, files and speed are other loggers' business.

import { type LogFields, type Logger, type LogLevel, printable } from "./logger.js";

export interface ConsoleLoggerOptions {
  /** The least severe level that is written. Default "info". */
  readonly level?: LogLevel;
  /** "json" (default): one object per line with `time`, `level`, `message` and the fields. "text": for people. */
  readonly format?: "json" | "text";
  /** Takes one line, without its line end. */
  readonly write: (line: string, level: LogLevel) => void;
  /** Wall-clock time, milliseconds since 1970; without it lines carry no time. */
  readonly nowMs?: () => number;
}

const severity: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

const MAX_DEPTH = 6;
const MAX_TEXT_LENGTH = 4_000;
const MAX_ITEMS = 100;

/** A value that JSON can hold, of bounded size, whatever came in. */
function plain(value: unknown, depth = 0): unknown {
  if (typeof value === "string") {
    return value.length > MAX_TEXT_LENGTH ? `${value.slice(0, MAX_TEXT_LENGTH)}...` : value;
  }
  if (value === null || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  if (typeof value !== "object") {
    return value === undefined ? undefined : String(value);
  }
  if (depth >= MAX_DEPTH) {
    return "[deeper]";
  }
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    const code = "code" in value ? value.code : undefined;
    return plain({ name, message, code, stack, cause }, depth);
  }
  if (value instanceof Uint8Array) {
    return `[${value.length} bytes]`;
  }
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1));
  }
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item, depth + 1)]));
}

// What JSON leaves as it is, and a terminal does not: delete, C1 controls, line and direction marks.
const unprintable = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const escaped = (text: string): string =>
  text.replace(unprintable, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

function fieldText(value: unknown): string {
  if (typeof value === "string") {
    return /^[\w.:/@+-]+$/.test(value) ? value : `"${printable(value, MAX_TEXT_LENGTH)}"`;
  }
  return escaped(JSON.stringify(value) ?? "undefined");
}

function jsonLine(level: LogLevel, message: string, fields: LogFields, time?: string): string {
  const head = time === undefined ? { level, message } : { time, level, message };
  return escaped(JSON.stringify({ ...(plain(fields) as object), ...head }));
}

function textLine(level: LogLevel, message: string, fields: LogFields, time?: string): string {
  const parts = [time, level.toUpperCase().padEnd(5), printable(message, MAX_TEXT_LENGTH)];
  for (const [key, value] of Object.entries(plain(fields) as object)) {
    parts.push(`${printable(key)}=${fieldText(value)}`);
  }
  return parts.filter((part) => part !== undefined).join(" ");
}

/** See the head of this file. */
export function createConsoleLogger(options: ConsoleLoggerOptions): Logger {
  const { level: least = "info", format = "json", write, nowMs } = options;
  const lineOf = format === "json" ? jsonLine : textLine;

  const withFields = (inherited: LogFields): Logger => {
    const log = (level: LogLevel, fields: LogFields, message: string): void => {
      if (severity[level] < severity[least]) {
        return;
      }
      const time = nowMs === undefined ? undefined : new Date(nowMs()).toISOString();
      let line: string;
      try {
        line = lineOf(level, message, { ...inherited, ...fields }, time);
      } catch {
        // A getter or a proxy in a field threw. The message matters more than its fields.
        line = lineOf(level, message, { fields: "unwritable" }, time);
      }
      write(line, level);
    };
    return {
      trace: (fields, message) => log("trace", fields, message),
      debug: (fields, message) => log("debug", fields, message),
      info: (fields, message) => log("info", fields, message),
      warn: (fields, message) => log("warn", fields, message),
      error: (fields, message) => log("error", fields, message),
      fatal: (fields, message) => log("fatal", fields, message),
      child: (fields) => withFields({ ...inherited, ...fields }),
    };
  };
  return withFields({});
}
