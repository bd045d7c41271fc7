import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { RecordedConnection, testLimits, until } from "../contract/network-subject.js";
import type { Listener, ListenOptions } from "../network.js";
import { nodeClock } from "./node-clock.js";
import { nodeNetwork } from "./node-network.js";

const violations: string[] = [];
const open: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  violations.length = 0;
  for (const close of open.splice(0).reverse()) {
    await close();
  }
});

async function listen(
  limits: Partial<ListenOptions["limits"]> = {},
  overrides: Partial<Omit<ListenOptions, "limits">> = {},
): Promise<{ listener: Listener; accepted: RecordedConnection[] }> {
  const accepted: RecordedConnection[] = [];
  const listener = await nodeNetwork.listen({
    host: "127.0.0.1",
    port: 0,
    allowUpgrade: () => true,
    onConnection: (connection) => {
      const recorded = new RecordedConnection(connection);
      accepted.push(recorded);
      return recorded;
    },
    onHttpRequest: ({ path }) => ({ status: 200, body: `you asked for ${path}` }),
    onViolation: ({ reason }) => void violations.push(reason),
    ...overrides,
    limits: { ...testLimits, ...limits },
  });
  open.push(() => listener.close(0));
  return { listener, accepted };
}

interface RawClient {
  readonly socket: Socket;
  text(): string;
  isClosed(): boolean;
}

/** A bare TCP client that says `head` first. */
function rawClient(listener: Listener, head = ""): RawClient {
  const socket = connect(listener.port, "127.0.0.1");
  let received = "";
  let closed = false;
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("close", () => {
    closed = true;
  });
  socket.on("error", () => {});
  socket.write(head);
  open.push(() => void socket.destroy());
  return { socket, text: () => received, isClosed: () => closed };
}

const upgradeRequest = [
  "GET / HTTP/1.1",
  "Host: x",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Protocol: millrace.v1",
  "",
  "",
].join("\r\n");

async function upgraded(listener: Listener): Promise<RawClient> {
  const client = rawClient(listener, upgradeRequest);
  await until(nodeClock, () => client.text().includes("101"), "the upgrade");
  return client;
}

/** The start of a masked binary message that announces `bytes` (64 bit length). */
function announce(bytes: number): Buffer {
  const header = Buffer.alloc(14);
  header[0] = 0x82;
  header[1] = 0xff;
  header.writeUInt32BE(bytes, 6);
  return header;
}

/** Checks that the listener still serves an honest client. */
async function stillServes(listener: Listener): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${listener.port}/health`);
  expect(await response.text()).toBe("you asked for /health");
}

describe("a listener and a hostile client", () => {
  it("refuses another sub-protocol, and none, with the reason", async () => {
    const { listener } = await listen();
    for (const line of ["Sec-WebSocket-Protocol: mqtt\r\n", ""]) {
      const request = upgradeRequest.replace("Sec-WebSocket-Protocol: millrace.v1\r\n", line);
      const client = rawClient(listener, request);
      await until(nodeClock, client.isClosed, "the refusal");
      expect(client.text()).toContain("HTTP/1.1 400");
      expect(client.text()).toContain("the WebSocket sub-protocol must be millrace.v1");
    }
    await stillServes(listener);
  });

  it("accepts the sub-protocol among others, and chooses it", async () => {
    const { listener } = await listen();
    const webSocket = new WebSocket(`ws://127.0.0.1:${listener.port}`, ["mqtt", "millrace.v1"]);
    open.push(() => webSocket.terminate());
    await until(nodeClock, () => webSocket.readyState === WebSocket.OPEN, "the connection");
    expect(webSocket.protocol).toBe("millrace.v1");
    expect(webSocket.extensions).toBe("");
  });

  it("closes a connection that sends text with 1003", async () => {
    const { listener, accepted } = await listen();
    const webSocket = new WebSocket(`ws://127.0.0.1:${listener.port}`, ["millrace.v1"]);
    let code = 0;
    webSocket.on("open", () => webSocket.send("text"));
    webSocket.on("close", (seen) => {
      code = seen;
    });
    await until(nodeClock, () => code !== 0, "the close");
    expect(code).toBe(1_003);
    expect(accepted[0]?.messages).toEqual([]);
    await stillServes(listener);
  });

  it("answers garbage, huge heads and huge bodies with 400, 431 and 413", async () => {
    const { listener } = await listen();
    const garbage = rawClient(listener, "\u0000\u0001\u0002 not HTTP\r\n\r\n");
    const head = rawClient(
      listener,
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(20_000)}\r\n\r\n`,
    );
    const body = rawClient(
      listener,
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    );
    await until(nodeClock, () => garbage.text() !== "" && head.text() !== "", "the answers");
    await until(nodeClock, () => body.text() !== "", "the answer");
    expect(garbage.text()).toContain("HTTP/1.1 400");
    expect(head.text()).toContain("HTTP/1.1 431");
    expect(body.text()).toContain("HTTP/1.1 413");
    await stillServes(listener);
  });

  it("answers a chunked body that grows too large with 413", async () => {
    const { listener } = await listen({}, { onHttpRequest: () => new Promise(() => {}) });
    const client = rawClient(
      listener,
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `4000\r\n${"a".repeat(0x4000)}\r\n`;
    client.socket.write(chunk.repeat(5));
    await until(nodeClock, () => client.text() !== "", "the answer");
    expect(client.text()).toContain("HTTP/1.1 413");
  });

  it("answers a failing HTTP handler with 500 and reports it", async () => {
    const { listener } = await listen(
      {},
      {
        onHttpRequest: () => {
          throw new Error("a bug");
        },
      },
    );
    const response = await fetch(`http://127.0.0.1:${listener.port}/`);
    expect(response.status).toBe(500);
    expect(violations.some((reason) => reason.includes("a bug"))).toBe(true);
  });

  it("cuts a client that never finishes its request head, silent ones included", async () => {
    const { listener } = await listen({ handshakeTimeoutMs: 200 });
    const silent = rawClient(listener);
    const slow = rawClient(listener, "GET / HTTP/1.1\r\nHos");
    await until(nodeClock, () => silent.isClosed() && slow.isClosed(), "both cuts");
    await stillServes(listener);
  });

  it("cuts an unfinished message that makes no progress, and leaves the others", async () => {
    const { listener, accepted } = await listen({ partialMessageTimeoutMs: 200 });
    const stuck = await upgraded(listener);
    const honest = await upgraded(listener);
    stuck.socket.write(announce(1_000));
    await until(nodeClock, stuck.isClosed, "the cut");
    expect(violations.some((reason) => reason.includes("no progress"))).toBe(true);
    expect(accepted[0]?.closes[0]?.code).toBe(1_006);
    expect(honest.isClosed()).toBe(false);
    await stillServes(listener);
  });

  it("does not blame a connection for a pause of its own", async () => {
    const { listener, accepted } = await listen({ partialMessageTimeoutMs: 100 });
    const client = await upgraded(listener);
    client.socket.write(announce(1_000));
    await until(nodeClock, () => accepted.length === 1, "the connection");
    await nodeClock.sleep(20);
    accepted[0]?.connection.pauseReading();
    await nodeClock.sleep(300);
    expect(client.isClosed()).toBe(false);
    client.socket.write(Buffer.alloc(1_000));
    accepted[0]?.connection.resumeReading();
    await until(nodeClock, () => accepted[0]?.messages.length === 1, "the message");
  });

  it("bounds what all unfinished messages hold together, and cuts the oldest", async () => {
    const mebibyte = 1024 * 1024;
    const { listener, accepted } = await listen({
      maxMessageBytes: mebibyte,
      maxPartialBytes: 3 * mebibyte,
    });
    const clients: RawClient[] = [];
    for (let index = 0; index < 8; index++) {
      const client = await upgraded(listener);
      client.socket.write(announce(mebibyte));
      client.socket.write(Buffer.alloc(mebibyte - 1));
      clients.push(client);
      await nodeClock.sleep(15);
    }
    await until(nodeClock, () => clients.filter((client) => client.isClosed()).length >= 6, "cuts");
    expect(clients.map((client) => client.isClosed())).toEqual([
      ...new Array<boolean>(6).fill(true),
      false,
      false,
    ]);
    clients[7]?.socket.write(Buffer.alloc(1));
    await until(nodeClock, () => accepted[7]?.messages.length === 1, "the honest message");
  });

  it("refuses what a client announces beyond the limit before it arrives", async () => {
    const { listener, accepted } = await listen({ maxMessageBytes: 1_000 });
    const client = await upgraded(listener);
    client.socket.write(announce(2 ** 31));
    await until(nodeClock, () => (accepted[0]?.closes.length ?? 0) === 1, "the close");
    // A close frame with 1009 (0x03f1).
    expect(client.text()).toContain("\u0088\u0002\u0003\u00f1");
    expect(violations).toEqual(["a message exceeds 1000 bytes"]);
  });

  it("takes a thousand connections at once", async () => {
    const { listener } = await listen({ maxConnections: 1_000 });
    const clients = Array.from({ length: 1_000 }, () => rawClient(listener, upgradeRequest));
    const answered = (): boolean =>
      clients.every((client) => client.text() !== "" || client.isClosed());
    await until(nodeClock, answered, "all answers");
    expect(clients.every((client) => client.text().startsWith("HTTP/1.1 101"))).toBe(true);
    expect(listener.connectionCount).toBe(1_000);
    await stillServes(listener);
  });

  it("gives the reason of a refusal to the dialer", async () => {
    const { listener } = await listen({}, { allowUpgrade: () => "origin not allowed" });
    const work = nodeNetwork.dial(
      `ws://127.0.0.1:${listener.port}`,
      { maxMessageBytes: 1_000, connectTimeoutMs: 5_000 },
      () => ({ onMessage: () => {}, onClose: () => {} }),
    );
    await expect(work).rejects.toMatchObject({ code: "REJECTED", status: 403 });
    await expect(work).rejects.toThrow("origin not allowed");
  });
});

describe("a dialer and a server that does not answer", () => {
  it("gives up after its timeout", async () => {
    const { createServer } = await import("node:net");
    const server = createServer(() => {}).listen(0, "127.0.0.1");
    open.push(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const work = nodeNetwork.dial(
      `ws://127.0.0.1:${port}`,
      { maxMessageBytes: 1_000, connectTimeoutMs: 100 },
      () => ({ onMessage: () => {}, onClose: () => {} }),
    );
    await expect(work).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
