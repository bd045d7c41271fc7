import { describe, expect, it } from "vitest";
import { nodeClock, nodeNetwork } from "../node/index.js";
import { BrowserConnection } from "./browser-connection.js";
import { createBrowserRuntime } from "./browser-runtime.js";
import { OPEN, type WebSocketLike } from "./web-socket-like.js";

class FakeWebSocket implements WebSocketLike {
  binaryType = "arraybuffer";
  readyState = OPEN;
  bufferedAmount = 0;
  readonly protocol = "millrace.v1";
  readonly sent: Uint8Array[] = [];
  readonly closes: unknown[] = [];
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onerror: WebSocketLike["onerror"] = null;
  onclose: WebSocketLike["onclose"] = null;
  send(data: Uint8Array): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }
  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
  }
}

function setUp() {
  const timers: (() => void)[] = [];
  const clock = {
    ...nodeClock,
    setTimer: (_delayMs: number, callback: () => void) => {
      timers.push(callback);
      return { cancel: () => void timers.splice(0) };
    },
  };
  const webSocket = new FakeWebSocket();
  const connection = new BrowserConnection({ webSocket, clock, maxMessageBytes: 1_000 });
  const events: string[] = [];
  connection.attach({
    onMessage: (message) => void events.push(`message of ${message.length}`),
    onClose: ({ code }) => void events.push(`close ${code}`),
    onDrain: () => void events.push("drain"),
  });
  return { timers, webSocket, connection, events };
}

describe("a browser's connection", () => {
  it("starts no timer while little is buffered", () => {
    const { timers, connection, webSocket } = setUp();
    connection.send([new Uint8Array(10), new Uint8Array(20)]);
    expect(webSocket.sent.map((bytes) => bytes.length)).toEqual([30]);
    expect(timers.length).toBe(0);
  });

  it("polls while much is buffered, and tells the drain once", () => {
    const { timers, connection, webSocket, events } = setUp();
    connection.send([new Uint8Array(100_000)]);
    connection.send([new Uint8Array(100_000)]);
    expect(timers.length).toBe(1);
    timers.shift()?.();
    expect(events).toEqual([]);
    webSocket.bufferedAmount = 0;
    timers.shift()?.();
    expect(events).toEqual(["drain"]);
    expect(timers.length).toBe(0);
  });

  it("stops polling when it closes", () => {
    const { timers, connection, webSocket, events } = setUp();
    connection.send([new Uint8Array(100_000)]);
    webSocket.onclose?.({ code: 1_001, reason: "" });
    webSocket.onclose?.({ code: 1_001, reason: "" });
    expect(timers.length).toBe(0);
    expect(events).toEqual(["close 1001"]);
  });

  it("closes on text, with a code that a script may send", () => {
    const { webSocket, events } = setUp();
    webSocket.onmessage?.({ data: "text" });
    webSocket.onmessage?.({ data: new ArrayBuffer(5) });
    expect(webSocket.closes).toEqual([[4_003, "messages are binary"]]);
    expect(events).toEqual([]);
  });
});

describe("a browser's network", () => {
  it("says so where there is no WebSocket", async () => {
    const { network } = createBrowserRuntime();
    const hasOwn = "WebSocket" in globalThis;
    const listener = await nodeNetwork.listen({
      host: "127.0.0.1",
      port: 0,
      limits: {
        maxMessageBytes: 1_000,
        maxPartialBytes: 1_000,
        partialMessageTimeoutMs: 1_000,
        maxConnections: 1,
        handshakeTimeoutMs: 1_000,
      },
      allowUpgrade: () => true,
      onConnection: () => ({ onMessage: () => {}, onClose: () => {} }),
      onHttpRequest: () => ({ status: 404, body: "" }),
    });
    const outcome = await network
      .dial(
        `ws://127.0.0.1:${listener.port}`,
        { maxMessageBytes: 1_000, connectTimeoutMs: 1_000 },
        () => ({ onMessage: () => {}, onClose: () => {} }),
      )
      .then(
        () => "connected",
        (error: Error) => error.message,
      );
    // Node 22 and later have one.
    expect(outcome).toBe(
      hasOwn ? "connected" : "this platform has no WebSocket; pass one as an option",
    );
    await listener.close(0);
  });
});
