// What several test files of this package share; not part of the build.

import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Compute } from "@millrace/runtime";
import { ComputeError } from "@millrace/runtime";

const crcTable = Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return crc >>> 0;
});

/** CRC-32C the plain way, and Node's gzip. */
export const compute: Compute = {
  codecs: ["none", "gzip"],
  crc32c(bytes, seed = 0) {
    let crc = ~seed;
    for (const byte of bytes) {
      crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
    }
    return ~crc >>> 0;
  },
  compress: (codec, bytes) =>
    codec === "gzip"
      ? Promise.resolve(new Uint8Array(gzipSync(bytes)))
      : Promise.reject(new ComputeError("UNSUPPORTED_CODEC", codec)),
  decompress(codec, bytes, maxBytes) {
    if (codec !== "gzip") {
      return Promise.reject(new ComputeError("UNSUPPORTED_CODEC", codec));
    }
    try {
      return Promise.resolve(new Uint8Array(gunzipSync(bytes, { maxOutputLength: maxBytes })));
    } catch (cause) {
      const code = cause instanceof RangeError ? "TOO_LARGE" : "MALFORMED";
      return Promise.reject(new ComputeError(code, "gunzip failed", { cause }));
    }
  },
};

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A JSON file below `vectors/`. */
export function readVectors<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../../vectors/${path}`, import.meta.url), "utf8")) as T;
}
