// CBOR diagnostic notation (RFC 8949 section 8) of decoded values.

import { toHex } from "./fixtures.js";

export function diagnostic(value: unknown): string {
  if (value instanceof Uint8Array) {
    return `h'${toHex(value)}'`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(diagnostic).join(", ")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}: ${diagnostic(item)}`,
    );
    return `{${entries.join(", ")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
