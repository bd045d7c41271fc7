import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { JOIN_BYTES, writeMessage } from "./websocket-frame.js";

/** ws exports its receiver, but its types do not. */
type ReceiverClass = new (options: { isServer: boolean }) => NodeJS.WritableStream;
const { Receiver } = ws as unknown as { Receiver: ReceiverClass };

describe("writeMessage", () => {
  it("writes frames that ws reads back, masked and not, however the payload is cut", async () => {
    const lengths = fc.constantFrom(0, 1, 60, 125, 126, 127, 4_095, 4_096, 4_097, 65_535, 65_536);
    const input = fc.tuple(fc.array(lengths, { maxLength: 4 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(input, async ([sizes, masked]) => {
        const chunks = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
        const receiver = new Receiver({ isServer: masked });
        const received = new Promise<Buffer>((resolve, reject) => {
          receiver.on("message", (data: Buffer) => resolve(data));
          receiver.on("error", reject);
        });
        writeMessage({ write: (bytes) => receiver.write(bytes) }, chunks, { masked });
        expect((await received).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });

  it("joins a small message into one write and copies no large chunk", () => {
    const written: Uint8Array[] = [];
    const sink = { write: (bytes: Uint8Array) => written.push(bytes) > 0 };
    writeMessage(sink, [new Uint8Array(10), new Uint8Array(JOIN_BYTES - 10)], { masked: false });
    expect(written.length).toBe(1);
    const large = new Uint8Array(JOIN_BYTES);
    writeMessage(sink, [Uint8Array.of(1), large], { masked: false });
    expect(written.length).toBe(4);
    expect(written[3]).toBe(large);
  });
});
