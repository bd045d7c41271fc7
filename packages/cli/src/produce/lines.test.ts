import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineToRecord } from "./line-record.js";
import { splitLines } from "./line-splitter.js";
import { createLogLine } from "./log-lines.js";

async function linesOf(
  chunks: readonly Uint8Array[],
  options?: Parameters<typeof splitLines>[1],
): Promise<string[]> {
  async function* source() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const line of splitLines(source(), options)) {
    lines.push(line.toString("latin1"));
  }
  return lines;
}

/** What splitting must give, from the whole text at once. */
function expected(text: string, delimiter: string): string[] {
  const parts = text.split(delimiter);
  return parts.at(-1) === "" ? parts.slice(0, -1) : parts;
}

describe("lines of a stream of bytes", () => {
  it("are the same however the bytes are cut into chunks, and whatever ends them", async () => {
    const cut = fc.array(fc.array(fc.constantFrom(0, 10, 13, 65, 66, 255), { maxLength: 6 }));
    const delimiter = fc.constantFrom("\n", "\0", "\r\n", "AB", "ABA");
    await fc.assert(
      fc.asyncProperty(cut, delimiter, async (pieces, end) => {
        const chunks = pieces.map((bytes) => Uint8Array.from(bytes));
        const whole = Buffer.concat(chunks).toString("latin1");
        expect(await linesOf(chunks, { delimiter: end })).toEqual(expected(whole, end));
      }),
      { numRuns: 500 },
    );
  });

  it("lose a carriage return only where no delimiter was named", async () => {
    const bytes = [Buffer.from("a\r\nb\r\n\r\nc\r")];
    expect(await linesOf(bytes)).toEqual(["a", "b", "", "c"]);
    expect(await linesOf(bytes, { delimiter: "\n" })).toEqual(["a\r", "b\r", "\r", "c\r"]);
  });

  it("have a bound", async () => {
    const chunks = Array.from({ length: 4 }, () => Buffer.alloc(10, 65));
    await expect(linesOf(chunks, { maxLineBytes: 30 })).rejects.toMatchObject({ exitCode: 65 });
  });
});

describe("a line as a record", () => {
  it("divides headers, key and value, and leaves bytes alone", () => {
    const toRecord = lineToRecord({
      topic: "t",
      headerSeparator: "\t",
      keySeparator: ":",
      headers: [{ key: "all", value: "1" }],
    });
    const line = Buffer.concat([Buffer.from("a=b,c\tk:"), Buffer.from([0xff, 0x00, 0x3a])]);
    expect(toRecord(line)).toEqual({
      topic: "t",
      partition: undefined,
      key: Buffer.from("k"),
      value: Buffer.from([0xff, 0x00, 0x3a]),
      headers: [
        { key: "all", value: Buffer.from("1") },
        { key: "a", value: Buffer.from("b") },
        { key: "c", value: null },
      ],
    });
    expect(toRecord(Buffer.from("plain"))).toMatchObject({
      key: null,
      value: Buffer.from("plain"),
    });
  });

  it("is a tombstone where the value is the one named", () => {
    const toRecord = lineToRecord({ topic: "t", keySeparator: ",", nullValue: "NULL" });
    expect(toRecord(Buffer.from("k,NULL"))).toMatchObject({ value: null });
    expect(toRecord(Buffer.from("k,NULLS"))).toMatchObject({ value: Buffer.from("NULLS") });
  });

  it("refuses what are no headers", () => {
    const toRecord = lineToRecord({ topic: "t", headerSeparator: "|" });
    expect(() => toRecord(Buffer.from("=b|v"))).toThrow(/no headers/);
  });
});

describe("made-up log lines", () => {
  it("carry the time, a level and a service, which is the key", () => {
    let state = 1;
    const random = (): number => {
      state = (state * 16_807) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const lines = Array.from({ length: 300 }, () => createLogLine({ nowMs: () => 0, random }));
    for (const { key, value } of lines) {
      expect(value).toMatch(
        /^1970-01-01T00:00:00\.000Z (?:INFO |WARN |ERROR) \[[a-z]+\] \S.* trace=[0-9a-f]{8}$/,
      );
      expect(value).toContain(`[${key}]`);
      expect(value).not.toMatch(/undefined|NaN/);
    }
    expect(new Set(lines.map(({ key }) => key)).size).toBe(4);
  });
});
