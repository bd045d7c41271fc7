// JSON output: one line per object where objects stream (`consume`, `bench`), indented where one result is read
// by people as well. Bytes that are not UTF-8 text become `{ "base64": ... }`.

/** One object, one line. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value);
}

/** One object, indented. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

export type JsonBytes = string | null | { readonly base64: string };

/** Text when the bytes are UTF-8, else base64: nothing is lost, and text stays readable. */
export function jsonBytes(bytes: Uint8Array | null): JsonBytes {
  if (bytes === null) {
    return null;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: the fatal decoder says so by throwing.
    return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64") };
  }
}
