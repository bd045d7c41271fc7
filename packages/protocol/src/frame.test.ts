import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apis } from "./apis.js";
import { ProtocolError } from "./errors.js";
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeErrorResponse,
  encodeRequest,
  encodeResponse,
  errorMessageOf,
} from "./frame.js";
import { fromHex, toHex } from "./test-support/fixtures.js";

const topicId = "00112233-4455-6677-8899-aabbccddeeff";
const join = (chunks: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(chunks));

function produceFrame(chunks: readonly Uint8Array[]): Uint8Array[] {
  const recordsLength = join(chunks).length;
  return encodeRequest(
    "produce",
    7,
    { acks: -1, timeoutMs: 30_000, partitions: [{ topicId, partition: 3, recordsLength }] },
    chunks,
  );
}

describe("a request frame", () => {
  it.each([0, 1, 23, 24, 255, 256, 65_535, 65_536, 200_000])(
    "carries %i bytes of records, uncopied both ways, behind the shortest head",
    (length) => {
      const chunks = [new Uint8Array(length).fill(1), new Uint8Array(0)];
      const encoded = produceFrame(chunks);
      expect(encoded[1] ?? chunks[0]).toBe(chunks[0]);
      const message = join(encoded);
      const frame = decodeRequestFrame(message);
      expect(frame).toMatchObject({ apiKey: 0, apiVersion: 0, correlationId: 7 });
      expect(frame.records.length).toBe(length);
      expect(frame.records.buffer).toBe(message.buffer);
      expect(apis.produce.request.fromWire(frame.body, "body").partitions).toEqual([
        { topicId, partition: 3, recordsLength: length },
      ]);
      const headBytes =
        message.length - length - produceFrame([]).reduce((n, c) => n + c.length, 0);
      expect(headBytes).toBeLessThanOrEqual(8);
    },
  );

  it("ignores elements that a later version may add behind the records", () => {
    const frame = decodeRequestFrame(fromHex("86 03 00 05 a0 4101 82 01 02"));
    expect(frame).toMatchObject({ apiKey: 3, correlationId: 5, body: {} });
    expect(toHex(frame.records)).toBe("01");
  });

  it.each([
    ["a map", "a0"],
    ["too few elements", "83030005"],
    ["an API key that is text", "846130 00 05 a0"],
    ["records that are text", "85 03 00 05 a0 6161"],
    ["records longer than the frame", "85 03 00 05 a0 5a7fffffff 00"],
    ["trailing bytes", "84 03 00 05 a0 00"],
    ["a body with a tag", "84 03 00 05 c0a0"],
  ])("is refused with %s", (_, hex) => {
    expect(() => decodeRequestFrame(fromHex(hex))).toThrow(ProtocolError);
  });

  it("is refused at every cut", () => {
    const message = join(produceFrame([new Uint8Array(30)]));
    for (let length = 0; length < message.length; length++) {
      expect(() => decodeRequestFrame(message.subarray(0, length))).toThrow(ProtocolError);
    }
  });

  it("made of arbitrary bytes gives a frame or a ProtocolError", () => {
    const message = join(produceFrame([new Uint8Array(10)]));
    const mutated = fc.array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(mutated, (changes) => {
        const bytes = message.slice();
        for (const [at, value] of changes) {
          bytes[at] = value;
        }
        try {
          const frame = decodeRequestFrame(bytes);
          apis.produce.request.fromWire(frame.body, "body");
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("a response frame", () => {
  it("carries body and records", () => {
    const records = Uint8Array.of(1, 2, 3);
    const message = join(encodeResponse("fetch", 9, { sessionId: 4, partitions: [] }, [records]));
    const frame = decodeResponseFrame(message);
    expect(frame).toMatchObject({ correlationId: 9, errorCode: 0 });
    expect(apis.fetch.response.fromWire(frame.body, "body").sessionId).toBe(4);
    expect([...frame.records]).toEqual([1, 2, 3]);
  });

  it("carries an error and its message", () => {
    const frame = decodeResponseFrame(join(encodeErrorResponse(1, "INVALID_REQUEST", "why")));
    expect(frame).toMatchObject({ correlationId: 1, errorCode: 42 });
    expect(errorMessageOf(frame.body)).toBe("why");
    expect(errorMessageOf(decodeResponseFrame(fromHex("8301182aa0")).body)).toBeNull();
  });

  it("that is malformed is the peer's PROTOCOL_VIOLATION", () => {
    expect(() => decodeResponseFrame(fromHex("820100"))).toThrow(/PROTOCOL_VIOLATION/);
    expect(() => decodeResponseFrame(fromHex("9b1fffffffffffff"))).toThrow(/PROTOCOL_VIOLATION/);
  });
});

it("frames that are encoded one after another do not share bytes", () => {
  const first = join(encodeErrorResponse(1, "NONE", null));
  const chunks = Array.from({ length: 500 }, (_, id) => encodeErrorResponse(id, "NONE", null));
  expect(toHex(join(encodeErrorResponse(1, "NONE", null)))).toBe(toHex(first));
  chunks.forEach((chunk, id) => {
    expect(decodeResponseFrame(join(chunk)).correlationId).toBe(id);
  });
});
