import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { CloseReason, Connection } from "../network.js";
import { nodeNetwork } from "./node-network.js";

const MAX_MESSAGE_BYTES = 100_000;
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const noBytes = Buffer.alloc(0);
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) {
    cleanup();
  }
});

const acceptOf = (request: string): string => {
  const key = /^sec-websocket-key: *(.*)$/im.exec(request)?.[1]?.trim() ?? "";
  return createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
};

const upgradeOf = (request: string): string =>
  [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(request)}`,
    "Sec-WebSocket-Protocol: millrace.v1",
    "\r\n",
  ].join("\r\n");

/** A frame as a server sends it: no mask. */
function frame(first: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const header =
    length < 126
      ? [first, length]
      : length < 65_536
        ? [first, 126, length >> 8, length & 255]
        : [first, 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (length >> shift) & 255)];
  return Buffer.concat([Buffer.from(header), payload]);
}

const payloadOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => at * 7 + (at >> 8) + length);

/** A server by hand: `behave` gets each socket with the request it sent. */
async function serve(behave: (socket: Socket, request: string) => void): Promise<string> {
  const server = createServer((socket) => {
    cleanups.push(() => socket.destroy());
    socket.on("error", () => {});
    let request = "";
    socket.on("data", function read(chunk: Buffer) {
      request += chunk.toString("latin1");
      if (request.endsWith("\r\n\r\n")) {
        socket.off("data", read);
        behave(socket, request);
      }
    });
  });
  cleanups.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

interface Heard {
  readonly connection: Connection;
  readonly messages: Uint8Array[];
  readonly closed: Promise<CloseReason>;
  /** Resolves when so many messages came. */
  received(count: number): Promise<void>;
}

async function dialTo(url: string): Promise<Heard> {
  const messages: Uint8Array[] = [];
  let close: (reason: CloseReason) => void = () => {};
  const closed = new Promise<CloseReason>((resolve) => {
    close = resolve;
  });
  let wake: () => void = () => {};
  const options = { maxMessageBytes: MAX_MESSAGE_BYTES, connectTimeoutMs: 5_000 };
  const connection = await nodeNetwork.dial(url, options, () => ({
    onMessage: (message) => {
      messages.push(message);
      wake();
    },
    onClose: close,
  }));
  cleanups.push(() => connection.terminate());
  const received = async (count: number): Promise<void> => {
    while (messages.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { connection, messages, closed, received };
}

/** A server that upgrades, sends `bytes` in the same breath, and goes on with `then`. */
const serveFrames = (bytes: Buffer, then: (socket: Socket) => void = () => {}): Promise<string> =>
  serve((socket, request) => {
    socket.write(Buffer.concat([Buffer.from(upgradeOf(request)), bytes]));
    then(socket);
  });

describe("a dialer on Node, answering", () => {
  it("hears messages that came in one piece with the answer", async () => {
    const payloads = [payloadOf(0), payloadOf(3), payloadOf(90_000), payloadOf(200)];
    const frames = payloads.map((payload) => frame(0x82, payload));
    const { messages, received } = await dialTo(await serveFrames(Buffer.concat(frames)));
    await received(4);
    expect(messages).toEqual(payloads);
  });

  it("hears them when every byte comes by itself, the answer's included", async () => {
    const url = await serve((socket, request) => {
      socket.setNoDelay(true);
      const bytes = Buffer.concat([
        Buffer.from(upgradeOf(request)),
        frame(0x82, payloadOf(130)),
        frame(0x82, payloadOf(2)),
      ]);
      let at = 0;
      const next = (): void => {
        if (at < bytes.length) {
          socket.write(bytes.subarray(at, ++at), () => setImmediate(next));
        }
      };
      next();
    });
    const { messages, received } = await dialTo(url);
    await received(2);
    expect(messages).toEqual([payloadOf(130), payloadOf(2)]);
  });

  it("waits for the upgrade behind provisional answers", async () => {
    const url = await serve((socket, request) => {
      const early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
      socket.write(`${early}${early}${upgradeOf(request)}`);
      socket.write(frame(0x82, payloadOf(5)));
    });
    const { messages, received } = await dialTo(url);
    await received(1);
    expect(messages).toEqual([payloadOf(5)]);
  });

  it("answers pings between the pieces of what a server sends", async () => {
    let pong: Promise<Buffer> | undefined;
    const url = await serveFrames(frame(0x89, payloadOf(4)), (socket) => {
      pong = once(socket, "data").then(([chunk]) => chunk as Buffer);
      void pong.then(() => socket.write(frame(0x82, payloadOf(70_000))));
    });
    const { messages, received } = await dialTo(url);
    await received(1);
    expect(messages).toEqual([payloadOf(70_000)]);
    const answer = (await pong) ?? noBytes;
    expect(answer[0]).toBe(0x8a);
    expect([...answer.subarray(-4)]).toEqual([...payloadOf(4)]);
  });

  it("reaches a server by a name with several addresses", async () => {
    const url = await serveFrames(frame(0x82, payloadOf(8)));
    const { messages, received } = await dialTo(url.replace("127.0.0.1", "localhost"));
    await received(1);
    expect(messages).toEqual([payloadOf(8)]);
  });

  it("puts fragments together, and goes on behind them", async () => {
    const whole = payloadOf(900);
    const bytes = Buffer.concat([
      frame(0x02, whole.subarray(0, 500)),
      frame(0x89, payloadOf(1)),
      frame(0x80, whole.subarray(500)),
      frame(0x82, payloadOf(7)),
    ]);
    const { messages, received } = await dialTo(await serveFrames(bytes));
    await received(2);
    expect(messages).toEqual([whole, payloadOf(7)]);
  });

  it("gives each message memory of its own", async () => {
    const bytes = Buffer.concat([frame(0x82, payloadOf(90)), frame(0x82, payloadOf(30_000))]);
    const { messages, received } = await dialTo(
      await serveFrames(bytes, (socket) => {
        setImmediate(() => socket.write(frame(0x82, new Uint8Array(60_000).fill(0xee))));
      }),
    );
    await received(3);
    expect(messages.slice(0, 2)).toEqual([payloadOf(90), payloadOf(30_000)]);
    // Not a view of the piece it came in, as it is when ws receives.
    expect(messages[1]?.buffer.byteLength).toBe(30_000);
  });
});

describe("a dialer on Node, facing a server that breaks the rules", () => {
  const hugeClaim = Buffer.from([0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
  const badClose = frame(0x88, Uint8Array.from([3, 232, 0xff, 0xfe]));
  const masked = Buffer.from([0x82, 0x81, 1, 2, 3, 4, 5]);
  const tooLong = Buffer.concat([frame(0x02, payloadOf(60_000)), frame(0x80, payloadOf(60_000))]);
  const violations: readonly (readonly [string, Buffer, string])[] = [
    ["claims 2^40 bytes", hugeClaim, "Max payload size exceeded"],
    ["sends one byte too much", frame(0x82, payloadOf(MAX_MESSAGE_BYTES + 1)), "Max payload size"],
    ["sends too much in fragments", tooLong, "Max payload size"],
    ["masks", masked, "MASK must be clear"],
    ["sets a reserved bit", Buffer.from([0xc2, 0]), "RSV1 must be clear"],
    ["uses an opcode that does not exist", Buffer.from([0x83, 0]), "invalid opcode"],
    ["goes on with what it never began", Buffer.from([0x80, 0]), "invalid opcode 0"],
    ["sends a ping of 126 bytes", frame(0x89, payloadOf(126)), "invalid payload length"],
    ["closes for a reason that is no UTF-8", badClose, "invalid UTF-8"],
    ["closes with half a code", frame(0x88, Uint8Array.of(3)), "invalid payload length"],
  ];

  for (const [what, bytes, problem] of violations) {
    it(`closes when it ${what}, once and with the reason, after what came before`, async () => {
      const url = await serveFrames(Buffer.concat([frame(0x82, payloadOf(9)), bytes]));
      const { connection, messages, closed } = await dialTo(url);
      const reason = await closed;
      expect(reason.code).toBe(1_006);
      expect(reason.error?.message).toContain(problem);
      expect(messages).toEqual([payloadOf(9)]);
      expect(connection.isOpen).toBe(false);
    });
  }

  it("refuses text with 1003", async () => {
    let sent: Promise<Buffer> | undefined;
    const url = await serveFrames(frame(0x81, Buffer.from("hello")), (socket) => {
      sent = once(socket, "data").then(([chunk]) => chunk as Buffer);
    });
    const { messages } = await dialTo(url);
    const close = (await sent) ?? noBytes;
    expect(close[0]).toBe(0x88);
    // Behind two bytes of header and the mask, which is 0.
    expect(close.readUInt16BE(6)).toBe(1_003);
    expect(messages).toEqual([]);
  });

  it("delivers nothing that follows a close frame", async () => {
    const close = frame(0x88, Uint8Array.from([15, 161]));
    const bytes = Buffer.concat([frame(0x82, payloadOf(1)), close, frame(0x82, payloadOf(2))]);
    const url = await serveFrames(bytes, (socket) => {
      socket.on("data", () => socket.end());
    });
    const { messages, closed } = await dialTo(url);
    expect((await closed).code).toBe(4_001);
    expect(messages).toEqual([payloadOf(1)]);
  });

  it("shows 1006 when the server ends in the middle of a message, and when it ends only its half", async () => {
    const half = frame(0x82, payloadOf(50_000)).subarray(0, 20_000);
    const url = await serveFrames(half, (socket) => {
      socket.end();
    });
    const { messages, closed } = await dialTo(url);
    expect((await closed).code).toBe(1_006);
    expect(messages).toEqual([]);
  });

  it("stops reading while paused: a server cannot fill it", async () => {
    const payload = payloadOf(50_000);
    let accepted: Socket | undefined;
    const url = await serveFrames(frame(0x82, payload), (socket) => {
      accepted = socket;
    });
    const { connection, messages, received } = await dialTo(url);
    await received(1);
    connection.pauseReading();
    const count = 1_000;
    const bytes = frame(0x82, payload);
    for (let index = 0; index < count; index++) {
      accepted?.write(bytes);
    }
    // What both kernels take is far less than 50 MB; the rest stays where it is.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(messages).toHaveLength(1);
    expect(accepted?.writableLength).toBeGreaterThan(10_000_000);
    connection.resumeReading();
    await received(1 + count);
    expect(messages.every((message) => message.length === payload.length)).toBe(true);
  });
});

describe("a dialer on Node, refused", () => {
  const answers: readonly (readonly [string, (request: string) => string, string])[] = [
    [
      "proves nothing",
      (request) => upgradeOf(request).replace(acceptOf(request), acceptOf("")),
      "Sec-WebSocket-Accept",
    ],
    [
      "chose another sub-protocol",
      (request) => upgradeOf(request).replace("millrace.v1", "chat"),
      "subprotocol",
    ],
    [
      "chose none",
      (request) => upgradeOf(request).replace("Sec-WebSocket-Protocol: millrace.v1\r\n", ""),
      "subprotocol",
    ],
    [
      "invents an extension",
      (request) =>
        upgradeOf(request).replace(
          "Upgrade: w",
          "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: w",
        ),
      "Sec-WebSocket-Extensions",
    ],
    ["speaks no HTTP", () => "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP"],
    [
      "sends headers without end",
      () => `HTTP/1.1 101 x\r\n${"X-A: bbbbbbbbbbbbbbbbbbbb\r\n".repeat(20_000)}`,
      "Header",
    ],
  ];

  for (const [what, answer, problem] of answers) {
    it(`fails when the server ${what}`, async () => {
      const url = await serve((socket, request) => void socket.write(answer(request)));
      const failure = await dialTo(url).catch((error: unknown) => error);
      expect(failure).toMatchObject({ name: "DialError", code: "UNREACHABLE" });
      expect(String(failure)).toContain(problem);
    });
  }

  it("reports a refusal with its body, empty lines and all", async () => {
    const body = "first\r\n\r\nsecond\r\n\r\nthird";
    const url = await serve((socket) => {
      socket.end(`HTTP/1.1 503 Busy\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    await expect(dialTo(url)).rejects.toMatchObject({ code: "REJECTED", status: 503 });
    await expect(dialTo(url)).rejects.toThrow(/first.*second.*third/s);
  });
});
