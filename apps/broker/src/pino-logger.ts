// Millrace's Logger over pino: JSON lines, or lines for people when somebody is watching. Writes to standard
// error: standard output belongs to what was asked for (`--json`).

import { Writable } from "node:stream";
import type { LogFields, Logger, LogLevel } from "@millrace/runtime";
import { printable } from "@millrace/runtime";
import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";
import { build as prettyStream } from "pino-pretty";
import { plainFields } from "./plain-fields.js";

const STANDARD_ERROR = 2;
const MESSAGE_LENGTH_MAX = 2000;

export interface PinoLoggerOptions {
  /** Default "info". */
  readonly level?: LogLevel | "silent";
  /** "text" is for people. Default: "text" when standard error is a terminal, else "json". */
  readonly format?: "json" | "text";
  /** Where lines go instead of standard error; for tests. */
  readonly write?: (line: string) => void;
}

export function createPinoLogger(options: PinoLoggerOptions = {}): Logger {
  const format = options.format ?? (process.stderr.isTTY ? "text" : "json");
  const target = format === "text" ? textStream(options) : jsonStream(options);
  return adapt(
    pino(
      {
        level: options.level ?? "info",
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      target,
    ),
  );
}

function jsonStream({ write }: PinoLoggerOptions): DestinationStream {
  return write === undefined ? destination({ dest: STANDARD_ERROR, sync: true }) : { write };
}

/** In this thread and synchronous: the last lines before an exit must not be lost. */
function textStream({ write }: PinoLoggerOptions): DestinationStream {
  return prettyStream({
    colorize: write === undefined && process.stderr.isTTY,
    destination:
      write === undefined
        ? destination({ dest: STANDARD_ERROR, sync: true })
        : destinationOf(write),
    sync: true,
    singleLine: true,
    // These four go into the head of the line as they are, unlike all others, which are written as JSON.
    customPrettifiers: { name: headText, hostname: headText, pid: headText, caller: headText },
    errorLikeObjectKeys: [],
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "nodeId",
  });
}

const headText = (value: string | object): string => printable(String(value));

function destinationOf(write: (line: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write: (line, _encoding, done) => {
      write(String(line));
      done();
    },
  });
}

function adapt(inner: PinoLogger): Logger {
  const at =
    (level: LogLevel) =>
    (fields: LogFields, message: string): void => {
      try {
        if (inner.isLevelEnabled(level)) {
          inner[level](plainFields(fields), printable(message, MESSAGE_LENGTH_MAX));
        }
      } catch {
        // A log line that cannot be written (a closed terminal) must not stop the broker.
      }
    };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    child: (fields) => adapt(inner.child(plainFields(fields))),
  };
}
