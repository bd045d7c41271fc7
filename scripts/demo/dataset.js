// The records of the demo: a JSON array, JSON lines, or any text with a record on each line (CSV). Every process
// of the demo reads the file itself, so that what is compared at the end never went through Millrace.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** @returns {string[]} one text per record, in the file's order */
export function readDataset(path, limit = Number.POSITIVE_INFINITY) {
  const text = readFileSync(path, "utf8");
  const records = text.trimStart().startsWith("[")
    ? JSON.parse(text).map((record) => JSON.stringify(record))
    : text.split(/\r?\n/).filter((line) => line !== "");
  return records.slice(0, limit);
}

/** Short, and long enough that no two different texts of a run share one. */
export function contentHash(bytes) {
  return createHash("sha256").update(bytes).digest("base64").slice(0, 16);
}

/** The key under which record number `id` travels; its partition follows from it. */
export const keyOf = (id) => `record-${id}`;
export const idOf = (key) => Number(key.slice("record-".length));
