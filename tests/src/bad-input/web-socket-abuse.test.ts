import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { eventually } from "./eventually.js";
import { RawClient } from "./raw-client.js";
import { Scene } from "./scene.js";
import { type FrameOptions, webSocketFrame } from "./web-socket-frames.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

/** Sends bytes on a fresh TCP connection and waits until the broker has closed it. */
async function say(bytes: Uint8Array | string): Promise<RawClient> {
  const client = await RawClient.tcp(broker.port);
  client.write(bytes);
  await client.ended();
  return client;
}

describe("the upgrade to a WebSocket", () => {
  it.each([undefined, "mqtt", "millrace.v2", "MILLRACE.V1", "millrace.v1x"])(
    "is refused with 400 and the right sub-protocol's name when it offers %s",
    async (subProtocol) => {
      await witness.during(async () => {
        const client = await RawClient.knock(broker.port, { subProtocol });
        expect(client.status).toBe(400);
        expect(client.httpText).toContain("the WebSocket sub-protocol must be millrace.v1");
      });
    },
  );

  it("is refused without a key, in another version, or by another method", async () => {
    await witness.during(async () => {
      const head = `Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: millrace.v1\r\n`;
      const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
      const version = "Sec-WebSocket-Version: 13\r\n";
      const requests = [
        `GET / HTTP/1.1\r\n${head}${version}\r\n`,
        `GET / HTTP/1.1\r\n${head}${version}Sec-WebSocket-Key: short\r\n\r\n`,
        `GET / HTTP/1.1\r\n${head}${key}Sec-WebSocket-Version: 99\r\n\r\n`,
        `POST / HTTP/1.1\r\n${head}${key}${version}\r\n`,
      ];
      for (const request of requests) {
        const client = await say(request);
        expect(client.status).toBeGreaterThanOrEqual(400);
        expect(client.status).toBeLessThan(500);
      }
    });
  });
});

describe("something that is not HTTP", () => {
  it.each([
    ["noise", Buffer.from("\u0000\u0001\u0002\u0003\r\n\r\n")],
    ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex")],
    ["a Kafka request", Buffer.from("000000230012000300000001000d6b61666b612d636c69656e74", "hex")],
    ["a second request without an end", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(20_000)}`],
    ["a Host header with a line feed alone", "GET / HTTP/1.1\nHost : x\n\n"],
  ])("is answered with a 4xx or cut, and harms nobody: %s", async (_, bytes) => {
    await witness.during(async () => {
      const client = await say(bytes);
      expect([0, 400, 431]).toContain(client.status);
    });
  });
});

describe("a WebSocket frame against the rules", () => {
  const UNSUPPORTED = 1003;
  const PROTOCOL = 1002;
  const frames: readonly (readonly [string, string | Uint8Array, FrameOptions, number])[] = [
    ["text", '{"hello":"world"}', { opcode: 1 }, UNSUPPORTED],
    ["empty text", "", { opcode: 1 }, UNSUPPORTED],
    ["text that is not UTF-8", Buffer.from([0xc3, 0x28]), { opcode: 1 }, 1007],
    ["no mask", Buffer.from([0x80]), { isMasked: false }, PROTOCOL],
    ["reserved bits (compression was not agreed on)", Buffer.from([0]), { reserved: 4 }, PROTOCOL],
    ["an unknown opcode", Buffer.from([0]), { opcode: 5 }, PROTOCOL],
    ["an unknown control opcode", Buffer.from([0]), { opcode: 11 }, PROTOCOL],
    ["a ping of 126 bytes", Buffer.alloc(126), { opcode: 9 }, PROTOCOL],
    ["a ping in fragments", Buffer.from([0]), { opcode: 9, isFinal: false }, PROTOCOL],
    ["a continuation of nothing", Buffer.from([0]), { opcode: 0 }, PROTOCOL],
    ["a close code that may not be sent", Buffer.from([0x03, 0xed]), { opcode: 8 }, PROTOCOL],
  ];

  it.each(frames)(
    "closes the connection with the right code: %s",
    async (_, payload, options, code) => {
      await witness.during(async () => {
        for (const open of [RawClient.open, RawClient.greeted]) {
          const client = await open(broker.port);
          client.write(webSocketFrame(payload, options));
          expect((await client.closing()).code).toBe(code);
        }
      });
    },
  );

  it("tells who sends text that messages are binary", async () => {
    const client = await RawClient.greeted(broker.port);
    client.write(webSocketFrame("hello", { opcode: 1 }));
    expect((await client.closing()).reason).toBe("messages are binary");
  });

  it("may interleave a ping with the fragments of a message: that is legal and served", async () => {
    await witness.during(async () => {
      const client = await RawClient.open(broker.port);
      // A request for metadata in three fragments, with pings in between.
      const request = Buffer.from("840300016161", "hex");
      request.set([0xa0], 4);
      const body = request.subarray(0, 5);
      client.write(webSocketFrame(body.subarray(0, 2), { isFinal: false }));
      client.write(webSocketFrame("ping", { opcode: 9 }));
      client.write(webSocketFrame(body.subarray(2, 4), { opcode: 0, isFinal: false }));
      client.write(webSocketFrame(body.subarray(4), { opcode: 0 }));
      const pong = await client.nextFrame();
      expect(pong.opcode).toBe(10);
      expect(Buffer.from(pong.payload).toString()).toBe("ping");
      expect((await client.answer("metadata")).error).toBe("ILLEGAL_SASL_STATE");
      client.destroy();
    });
  });

  it("a thousand fragments and more of one message are too many", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      const rest = webSocketFrame("", { opcode: 0, isFinal: false });
      client.write(webSocketFrame("", { isFinal: false }));
      client.write(Buffer.concat(Array.from({ length: 5_000 }, () => rest)));
      expect([1002, 1008, 1009]).toContain((await client.closing()).code);
    });
  });

  it("a flood of pings is answered or cut, while others go on", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      const ping = webSocketFrame(Buffer.alloc(125), { opcode: 9 });
      client.write(Buffer.concat(Array.from({ length: 20_000 }, () => ping)));
      await eventually(() => client.isClosed || client.frames.length >= 20_000, "pongs or a cut");
      client.destroy();
    });
  });
});
