// Cuts a stream of bytes into lines, without taking them for text: what is between two delimiters arrives as it is.

import { CliError } from "../cli-failure.js";
import { exitCodes } from "../exit-codes.js";

export interface LineSplitterOptions {
  /** Ends a line. Undefined: a line feed, with or without a carriage return before it. */
  readonly delimiter?: string | undefined;
  /** Default 64 MiB. */
  readonly maxLineBytes?: number;
}

const MAX_LINE_BYTES = 64 * 1024 * 1024;
const CARRIAGE_RETURN = 0x0d;

/**
 * What follows the last delimiter is a line if it is not empty. Lines are views into the chunks where they fit in one.
 * @throws CliError when a line is longer than `maxLineBytes`
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array | string>,
  options: LineSplitterOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const { maxLineBytes = MAX_LINE_BYTES } = options;
  const delimiter = Buffer.from(options.delimiter ?? "\n");
  const whole = (line: Buffer): Buffer =>
    options.delimiter === undefined && line.at(-1) === CARRIAGE_RETURN
      ? line.subarray(0, -1)
      : line;
  let pieces: Buffer[] = [];
  let pieceBytes = 0;
  for await (const chunk of chunks) {
    const fresh = typeof chunk === "string" ? Buffer.from(chunk) : asBuffer(chunk);
    // A delimiter of several bytes may begin in the piece before.
    const overlap = lastBytes(pieces, delimiter.length - 1);
    const searched = overlap.length === 0 ? fresh : Buffer.concat([overlap, fresh]);
    let from = -overlap.length;
    let at = searched.indexOf(delimiter);
    while (at >= 0) {
      const end = at - overlap.length;
      const line = cut(pieces, fresh, { from, end });
      pieces = [];
      pieceBytes = 0;
      yield whole(line);
      from = end + delimiter.length;
      at = searched.indexOf(delimiter, from + overlap.length);
    }
    const rest = fresh.subarray(Math.max(0, from));
    pieces.push(rest);
    pieceBytes += rest.length;
    if (pieceBytes > maxLineBytes) {
      throw new CliError(`A line is longer than ${maxLineBytes} bytes.`, {
        exitCode: exitCodes.DATA,
        hint: "Is it lines at all? --delimiter names what ends a record.",
      });
    }
  }
  const last = Buffer.concat(pieces);
  if (last.length > 0) {
    yield whole(last);
  }
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
}

function lastBytes(pieces: readonly Buffer[], count: number): Buffer {
  return count <= 0 || pieces.length === 0
    ? Buffer.alloc(0)
    : Buffer.concat(pieces).subarray(-count);
}

/** The line that ends at `end` of the fresh chunk (negative: inside the pieces before it). */
function cut(
  pieces: readonly Buffer[],
  fresh: Buffer,
  range: { readonly from: number; readonly end: number },
): Buffer {
  const { from, end } = range;
  if (pieces.length === 0 || from > 0) {
    return fresh.subarray(Math.max(0, from), end);
  }
  return end >= 0
    ? Buffer.concat([...pieces, fresh.subarray(0, end)])
    : Buffer.concat(pieces).subarray(0, end);
}
