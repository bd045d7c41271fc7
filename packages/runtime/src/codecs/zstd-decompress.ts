// Decompresses zstd frames (RFC 8878) in JavaScript, by fzstd, and keeps that library within bounds: it allocates
// the window that a frame's header asks for, up to 2 GiB, and what it gives is not limited.

import { Decompress } from "fzstd";
import { ComputeError } from "../compute.js";
import { malformed, tooLarge } from "./codec-errors.js";
import { type ZstdFrame, zstdFrames } from "./zstd-frames.js";

/** @throws ComputeError `MALFORMED`, `TOO_LARGE` */
export function decompressZstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frames = [...zstdFrames(bytes)];
  const declared = frames.reduce((sum, frame) => sum + (frame.contentBytes ?? 0), 0);
  if (declared > maxBytes) {
    throw tooLarge(maxBytes);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (const frame of frames) {
    const before = length;
    const stream = new Decompress((chunk) => {
      length += chunk.length;
      if (length > maxBytes) {
        throw tooLarge(maxBytes);
      }
      if (chunk.length > 0) {
        chunks.push(chunk);
      }
    });
    try {
      stream.push(withBoundedWindow(frame), true);
    } catch (error) {
      throw error instanceof ComputeError ? error : malformed("not valid zstd", error);
    }
    if (frame.contentBytes !== undefined && frame.contentBytes !== length - before) {
      throw malformed("a zstd frame does not hold as much as it declares");
    }
  }
  return join(chunks, length);
}

/**
 * The frame, with a window no larger than all that its blocks can give: matches reach no further back. In a single
 * segment the window is the content, which has to be that small.
 */
function withBoundedWindow(frame: ZstdFrame): Uint8Array {
  const { bytes, contentBytes = 0, contentBytesMax, windowAt } = frame;
  if (contentBytes > contentBytesMax) {
    throw malformed("a zstd frame declares more than it can give");
  }
  if (windowAt === undefined) {
    return bytes;
  }
  // The smallest power of two that holds it; windows begin at 1 KiB.
  const neededLog = Math.max(10, Math.ceil(Math.log2(Math.max(1, contentBytesMax))));
  const bounded = (neededLog - 10) << 3;
  if ((bytes[windowAt] ?? 0) <= bounded) {
    return bytes;
  }
  const copy = bytes.slice();
  copy[windowAt] = bounded;
  return copy;
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) {
    return first;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
