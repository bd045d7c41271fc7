// UUIDs: 16 bytes on the wire, canonical lower-case text in memory.

import type { MillraceError } from "./errors.js";
import { unwritable } from "./schema-mismatch.js";

function notUuid(text: string): MillraceError {
  return unwritable("", `a UUID, got ${JSON.stringify(text)}`);
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The canonical text of 16 bytes. */
export function uuidFromBytes(raw: Uint8Array): string {
  const hex = (from: number, to: number): string => {
    let digits = "";
    for (let index = from; index < to; index++) {
      digits += hexDigits[raw[index] as number] as string;
    }
    return digits;
  };
  return `${hex(0, 4)}-${hex(4, 6)}-${hex(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}

/** Value of a hexadecimal digit's character code; -1 for every other. */
function digitValue(code: number): number {
  if (code >= 48 && code <= 57) {
    return code - 48;
  }
  const letter = code | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

const HYPHEN = 45;
const UUID_TEXT_LENGTH = 36;

/**
 * The 16 bytes of a UUID's text.
 * @throws MillraceError `INVALID_ARGUMENT` when it is not one.
 */
export function uuidToBytes(uuid: string): Uint8Array {
  const raw = new Uint8Array(16);
  let at = 0;
  for (let index = 0; index < 16; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) {
      if (uuid.charCodeAt(at++) !== HYPHEN) {
        throw notUuid(uuid);
      }
    }
    const value = (digitValue(uuid.charCodeAt(at)) << 4) | digitValue(uuid.charCodeAt(at + 1));
    if (value < 0) {
      throw notUuid(uuid);
    }
    raw[index] = value;
    at += 2;
  }
  if (uuid.length !== UUID_TEXT_LENGTH) {
    throw notUuid(uuid);
  }
  return raw;
}
