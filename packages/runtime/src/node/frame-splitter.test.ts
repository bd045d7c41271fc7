import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { BufferPool } from "../buffer-pool.js";
import { FrameSplitter } from "./frame-splitter.js";

/** Exported by ws, though not by its types. */
const { Receiver } = ws as unknown as {
  readonly Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
  }) => NodeJS.WritableStream;
};

const MAX_MESSAGE_BYTES = 300_000;

interface Frame {
  readonly first: number;
  readonly mask: readonly number[] | undefined;
  readonly payload: Uint8Array;
}

function encode({ first, mask, payload }: Frame): Uint8Array {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = new Uint8Array(2 + lengthBytes);
  const view = new DataView(header.buffer);
  const short = lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127;
  header[0] = first;
  header[1] = (mask === undefined ? 0 : 0x80) | short;
  if (lengthBytes === 2) {
    view.setUint16(2, length);
  } else if (lengthBytes === 8) {
    view.setBigUint64(2, BigInt(length));
  }
  const masked = payload.map((byte, at) => byte ^ (mask?.[at & 3] ?? 0));
  return new Uint8Array(Buffer.concat([header, Uint8Array.from(mask ?? []), masked]));
}

const payloadOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => at * 7 + (at >> 8) + length);

const lengths = fc.oneof(fc.nat(200), fc.nat(5_000), fc.nat(80_000));
const masks = fc.constantFrom([0, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 9]);
const message = fc.record({
  first: fc.constant(0x82),
  mask: masks,
  payload: lengths.map(payloadOf),
});
const ping = fc.record({
  first: fc.constantFrom(0x89, 0x8a),
  mask: masks,
  payload: fc.nat(125).map(payloadOf),
});
/** A message in fragments, with pings between them. */
const fragments = fc
  .tuple(fc.array(lengths, { minLength: 2, maxLength: 4 }), masks, fc.boolean())
  .map(([sizes, mask, hasPing]) =>
    sizes.flatMap((size, index): Frame[] => [
      {
        first: (index === sizes.length - 1 ? 0x80 : 0) | (index === 0 ? 2 : 0),
        mask,
        payload: payloadOf(Math.min(size, 60_000)),
      },
      ...(hasPing ? [{ first: 0x89, mask, payload: payloadOf(3) }] : []),
    ]),
  );
/** Anything: wrong opcodes, reserved bits, no mask, closing in the middle. */
const wild = fc.record({
  first: fc.nat(255),
  mask: fc.option(masks, { nil: undefined }),
  payload: lengths.map(payloadOf),
});
const lawful = fc.oneof(
  { weight: 3, arbitrary: message.map((frame): Frame[] => [frame]) },
  ping.map((frame): Frame[] => [frame]),
  fragments,
);
const streams = fc
  .tuple(
    fc.array(lawful, { minLength: 1, maxLength: 8 }),
    fc.array(fc.oneof(message, ping, wild), { maxLength: 4 }),
  )
  .map(([first, then]) => [...first.flat(), ...then]);
/** The same from the other end: with a mask where there was none, and the other way round. */
const fromServer = (frame: Frame): Frame => ({
  ...frame,
  mask: frame.mask === undefined ? [1, 2, 3, 4] : undefined,
});
const cuts = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 10_000, max: 70_000 })),
  {
    minLength: 1,
    maxLength: 20,
  },
);

/** What ws makes of a stream: messages, control frames, and how it ended. */
class Heard {
  readonly events: string[] = [];
  readonly receiver: NodeJS.WritableStream;
  isOver = false;

  constructor(isServer: boolean, maxPayload = MAX_MESSAGE_BYTES) {
    this.receiver = new Receiver({ isServer, maxPayload });
    this.receiver
      .on("message", (data: Uint8Array, isBinary: boolean) => this.message(data, isBinary))
      .on("ping", (data: Uint8Array) => this.#note(`ping ${data.length}`))
      .on("pong", (data: Uint8Array) => this.#note(`pong ${data.length}`))
      .on("conclude", (code: number) => this.#end(`close ${code}`))
      .on("error", (error: Error) => this.#end(error.message));
  }

  message(data: Uint8Array, isBinary: boolean): void {
    this.#note(`${isBinary ? "binary" : "text"} ${Buffer.from(data).toString("base64")}`);
  }

  write(bytes: Uint8Array): void {
    if (!this.isOver) {
      this.receiver.write(Buffer.from(bytes));
    }
  }

  #note(event: string): void {
    if (!this.isOver) {
      this.events.push(event);
    }
  }

  #end(event: string): void {
    this.#note(event);
    this.isOver = true;
  }
}

/** Lets a stream's errors out: they are emitted on the next tick. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function splitter(
  heard: Heard,
  isMasked: boolean,
  maxMessageBytes = MAX_MESSAGE_BYTES,
): FrameSplitter {
  return new FrameSplitter({
    maxMessageBytes,
    isMasked,
    sureShare: isMasked ? 0.25 : 0,
    // Not cleared: what is not overwritten shows.
    allocate: (bytes) => new Uint8Array(bytes).fill(0xee),
    pool: new BufferPool({ maxFreeBytes: 200_000 }),
    onMessage: (bytes, release) => {
      heard.message(bytes.slice(), true);
      // The next one is received into the same memory.
      bytes.fill(0xee);
      release?.();
    },
    onOther: (bytes) => heard.write(bytes),
  });
}

describe("FrameSplitter", () => {
  it("hears with ws behind it what ws alone hears, whatever comes and however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(streams, cuts, fc.boolean(), async (frames, sizes, isServer) => {
        const alone = new Heard(isServer);
        const behind = new Heard(isServer);
        const split = splitter(behind, isServer);
        const stream = Buffer.concat(
          frames.map((frame) => encode(isServer ? frame : fromServer(frame))),
        );
        const scratch = Buffer.alloc(70_000);
        let at = 0;
        for (let round = 0; at < stream.length; round++) {
          const piece = stream.subarray(at, at + (sizes[round % sizes.length] ?? 1));
          at += piece.length;
          alone.write(piece);
          // Used again for the next piece, as a socket does.
          piece.copy(scratch);
          split.push(scratch.subarray(0, piece.length));
          await nextTurn();
        }
        expect(behind.events).toEqual(alone.events);
        expect(behind.isOver).toBe(alone.isOver);
      }),
      { numRuns: 80 },
    );
  }, 60_000);

  it("takes memory for a large message as it comes, whole from a quarter on, and keeps no piece", () => {
    const messages: Uint8Array[] = [];
    const allocated: number[] = [];
    const split = new FrameSplitter({
      maxMessageBytes: 2_000_000,
      allocate: (bytes) => {
        allocated.push(bytes);
        return new Uint8Array(bytes);
      },
      onMessage: (bytes) => messages.push(bytes),
      onOther: () => expect.unreachable(),
    });
    const payload = payloadOf(1_100_000);
    const bytes = encode({ first: 0x82, mask: [0, 0, 0, 0], payload });
    const scratch = new Uint8Array(65_536);
    for (let at = 0; at < bytes.length; at += scratch.length) {
      const piece = bytes.subarray(at, at + scratch.length);
      scratch.set(piece);
      split.push(scratch.subarray(0, piece.length));
    }
    expect(allocated.at(-1)).toBe(1_100_000);
    expect(allocated.length).toBeLessThanOrEqual(4);
    expect(messages.map((message) => Buffer.compare(message, payload))).toEqual([0]);
  });

  it("takes what a pool has free for all of a message at once, and gives unfinished ones back", () => {
    const pool = new BufferPool({ maxFreeBytes: 2_000_000 });
    const messages: { readonly bytes: Uint8Array; readonly release: (() => void) | undefined }[] =
      [];
    const allocated: number[] = [];
    const split = new FrameSplitter({
      maxMessageBytes: 2_000_000,
      allocate: (bytes) => {
        allocated.push(bytes);
        return new Uint8Array(bytes);
      },
      pool,
      onMessage: (bytes, release) => messages.push({ bytes, release }),
      onOther: () => expect.unreachable(),
    });
    const frame = encode({ first: 0x82, mask: [0, 0, 0, 0], payload: payloadOf(1_000_000) });
    const push = (bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.length; at += 65_536) {
        split.push(bytes.subarray(at, at + 65_536));
      }
    };
    push(frame);
    const [first] = messages;
    expect(Math.max(...allocated)).toBeLessThan(1_000_000);
    expect(pool.takenBytes).toBeGreaterThanOrEqual(1_000_000);
    first?.release?.();
    allocated.length = 0;
    push(frame);
    const [, second] = messages;
    expect(allocated).toEqual([]);
    expect(second?.bytes.buffer === first?.bytes.buffer).toBe(true);
    expect(Buffer.compare(second?.bytes ?? frame, payloadOf(1_000_000))).toBe(0);
    // Nobody gave it back.
    push(frame);
    expect(messages[2]?.bytes.buffer === second?.bytes.buffer).toBe(false);
    second?.release?.();
    push(frame.subarray(0, 500_000));
    expect(pool.freeBytes).toBe(0);
    split.drop();
    expect(pool.freeBytes).toBeGreaterThanOrEqual(1_000_000);
  });

  it("lends no memory for small messages: they keep theirs", () => {
    const releases: unknown[] = [];
    const split = new FrameSplitter({
      maxMessageBytes: 2_000_000,
      allocate: (bytes) => new Uint8Array(bytes),
      pool: new BufferPool({ maxFreeBytes: 2_000_000 }),
      onMessage: (_, release) => releases.push(release),
      onOther: () => expect.unreachable(),
    });
    for (const size of [0, 10, 1_000, 10_000]) {
      split.push(encode({ first: 0x82, mask: [0, 0, 0, 0], payload: payloadOf(size) }));
    }
    expect(releases).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("takes memory for what has come, not for what is announced", () => {
    let allocatedBytes = 0;
    const split = new FrameSplitter({
      maxMessageBytes: 100_000_000,
      allocate: (bytes) => {
        allocatedBytes += bytes;
        return new Uint8Array(bytes);
      },
      onMessage: () => expect.unreachable(),
      onOther: () => expect.unreachable(),
    });
    const header = Uint8Array.from([0x82, 0xff, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    split.push(header);
    split.push(new Uint8Array(100));
    expect(allocatedBytes).toBeLessThanOrEqual(4_096);
    split.push(new Uint8Array(10_000));
    expect(allocatedBytes).toBeLessThanOrEqual(4 * 10_100);
  });

  it("takes memory for all of a message at once, where that is asked for, and never above the limit", () => {
    const allocated: number[] = [];
    const other: Uint8Array[] = [];
    const split = new FrameSplitter({
      maxMessageBytes: 1_000_000,
      isMasked: false,
      sureShare: 0,
      allocate: (bytes) => {
        allocated.push(bytes);
        return new Uint8Array(bytes);
      },
      onMessage: () => expect.unreachable(),
      onOther: (bytes) => other.push(bytes.slice()),
    });
    split.push(Uint8Array.from([0x82, 127, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]));
    expect(allocated).toEqual([1_000_000]);
    split.drop();
    const tooLarge = Uint8Array.from([0x82, 127, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41]);
    split.push(tooLarge);
    expect(allocated).toEqual([1_000_000]);
    expect(other).toEqual([tooLarge]);
  });

  it("delivers nothing behind a frame that ws refuses, not even in the same piece", async () => {
    const refused: Frame[] = [
      { first: 0x82, mask: [0, 0, 0, 0], payload: payloadOf(101) },
      { first: 0x82, mask: undefined, payload: payloadOf(5) },
      { first: 0xc2, mask: [0, 0, 0, 0], payload: payloadOf(5) },
      { first: 0x83, mask: [0, 0, 0, 0], payload: payloadOf(5) },
      { first: 0x89, mask: undefined, payload: payloadOf(5) },
      { first: 0x89, mask: [0, 0, 0, 0], payload: payloadOf(126) },
      { first: 0x80, mask: [0, 0, 0, 0], payload: payloadOf(5) },
    ];
    const good: Frame = { first: 0x82, mask: [0, 0, 0, 0], payload: payloadOf(1) };
    const cases = refused.flatMap((frame) => [
      { isServer: true, frames: [good, frame, good] },
      { isServer: false, frames: [good, frame, good].map(fromServer) },
    ]);
    for (const { isServer, frames } of cases) {
      const heard = new Heard(isServer, 100);
      const split = splitter(heard, isServer, 100);
      split.push(Buffer.concat(frames.map(encode)));
      await nextTurn();
      expect(heard.events).toHaveLength(2);
      expect(heard.events[0]).toMatch(/^binary /);
      expect(heard.events[1]).not.toMatch(/^binary /);
    }
  });
});
