// Structured logging. Fields never hold secrets or payloads; text from outside goes through `printable`.

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";
export type LogFields = Readonly<Record<string, unknown>>;

/** Receives log lines: fields first, then a sentence. pino's loggers fit. */
export interface Logger {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

const ignore = (): void => {};

/** Says nothing. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
  child: () => silentLogger,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"\\]/g;

/** Text from outside, fit for a log line or a terminal: control and direction characters escaped, cut at `maxLength` (default 200). */
export function printable(text: string, maxLength = 200): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return cut.replace(unprintable, (character) => {
    if (character === '"' || character === "\\") {
      return `\\${character}`;
    }
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
