// What the storage engine itself has to say goes into the trace.

import { type Logger, silentLogger } from "@millrace/runtime";
import type { Tally } from "./life.js";

const REPLAYED = "commit journal replayed";

export function engineLog(note: (text: string) => void, tally: Tally): Logger {
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    const details = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
    note(`${message} (${details.join(", ")})`);
  };
  const info = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    if (message === REPLAYED) {
      tally.count(REPLAYED);
    }
    log(fields, message);
  };
  return { ...silentLogger, info, warn: log, error: log, fatal: log };
}
