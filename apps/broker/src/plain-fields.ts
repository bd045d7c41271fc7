// Log fields made safe to write: no cycles, no getters or `toJSON` of others, bounded in depth and size.
// Pure. A logger must never disturb its caller, whatever it is given.

import { printable } from "@millrace/runtime";

const DEPTH_MAX = 5;
const ENTRIES_MAX = 100;
const TEXT_LENGTH_MAX = 4000;

/** A copy of plain values; whatever has no plain form becomes a text that says what it was. */
export function plainFields(fields: object): Record<string, unknown> {
  return plainObject(fields, 0);
}

function plainValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return value.length > TEXT_LENGTH_MAX ? `${value.slice(0, TEXT_LENGTH_MAX)}...` : value;
    case "number":
    case "boolean":
    case "undefined":
      return value;
    case "object":
      return value === null ? null : plainComposite(value, depth);
    default:
      return String(value);
  }
}

function plainComposite(value: object, depth: number): unknown {
  if (value instanceof Uint8Array) {
    // Bytes may be somebody's payload.
    return `${value.length} bytes`;
  }
  if (depth >= DEPTH_MAX) {
    return "...";
  }
  if (value instanceof Error) {
    return plainError(value, depth);
  }
  return Array.isArray(value)
    ? value.slice(0, ENTRIES_MAX).map((item: unknown) => plainValue(item, depth + 1))
    : plainObject(value, depth);
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  return {
    name: error.name,
    message: printable(error.message, TEXT_LENGTH_MAX),
    ...("code" in error ? { code: plainValue(error.code, depth + 1) } : {}),
    stack: plainValue(error.stack, depth + 1),
    ...(error.cause === undefined ? {} : { cause: plainValue(error.cause, depth + 1) }),
  };
}

function plainObject(value: object, depth: number): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const key of Object.keys(value).slice(0, ENTRIES_MAX)) {
    try {
      plain[key] = plainValue((value as Record<string, unknown>)[key], depth + 1);
    } catch {
      plain[key] = "[unreadable]";
    }
  }
  return plain;
}
