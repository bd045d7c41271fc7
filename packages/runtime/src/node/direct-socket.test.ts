import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { BufferPool } from "../buffer-pool.js";
import { createScratch, DirectSocket } from "./direct-socket.js";

const MESSAGE = Uint8Array.from([0x82, 0x83, 0, 0, 0, 0, 1, 2, 3]);
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) {
    close();
  }
});

/** Both ends of a connection; the accepted one has not read anything. */
async function connection(): Promise<{ server: Server; client: Socket; accepted: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  open.push(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { server, client, accepted };
}

const options = { maxMessageBytes: 1_000, scratch: createScratch() };

describe("DirectSocket", () => {
  it("takes an accepted connection over on this Node, and writes and ends on it", async () => {
    const { client, accepted } = await connection();
    const direct = DirectSocket.takeOver(accepted, options);
    const messages: Uint8Array[] = [];
    const whenMessage = new Promise<void>((resolve) => {
      const onMessage = (message: Uint8Array): void => {
        messages.push(message);
        resolve();
      };
      direct?.start({ onBytes: () => {}, onMessage }, MESSAGE.subarray(0, 4));
    });
    client.write(MESSAGE.subarray(4));
    await whenMessage;
    expect(messages).toEqual([Uint8Array.from([1, 2, 3])]);
    const whenHeard = once(client, "data");
    direct?.socket.end("bye");
    expect(String((await whenHeard)[0])).toBe("bye");
    await once(client, "end");
    // Flowing, or the end is not seen.
    const whenClosed = once(direct?.socket.resume() ?? accepted, "close");
    client.end();
    await whenClosed;
  });

  it("lets the server count the connection until it closes", async () => {
    const { server, accepted } = await connection();
    const count = promisify(server.getConnections.bind(server));
    const direct = DirectSocket.takeOver(accepted, options);
    expect(await count()).toBe(1);
    direct?.socket.destroy();
    await once(accepted, "close");
    expect(await count()).toBe(0);
  });

  it("gives an unfinished message's memory back when the connection closes", async () => {
    const { client, accepted } = await connection();
    const pool = new BufferPool({ maxFreeBytes: 1_000_000 });
    const large = { maxMessageBytes: 1_000_000, scratch: createScratch(), pool };
    const direct = DirectSocket.takeOver(accepted, large);
    pool.take(500_000).release();
    const header = Uint8Array.from([0x82, 0xff, 0, 0, 0, 0, 0, 7, 0xa1, 0x20, 0, 0, 0, 0]);
    const whenTaken = new Promise<void>((resolve) => {
      direct?.start(
        { onBytes: () => setImmediate(resolve), onMessage: () => expect.unreachable() },
        new Uint8Array(),
      );
    });
    client.write(header);
    await whenTaken;
    expect(pool.freeBytes).toBe(0);
    direct?.socket.destroy();
    await once(accepted, "close");
    expect(pool.freeBytes).toBeGreaterThanOrEqual(500_000);
  });

  it("emits as data what is no message, in memory of its own", async () => {
    const { client, accepted } = await connection();
    const direct = DirectSocket.takeOver(accepted, options);
    const chunks: Buffer[] = [];
    direct?.socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    direct?.start({ onBytes: () => {}, onMessage: () => expect.unreachable() }, new Uint8Array());
    const ping = Uint8Array.from([0x89, 0x81, 0, 0, 0, 0, 7]);
    client.end(Buffer.concat([ping, ping]));
    await once(direct?.socket ?? accepted, "end");
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat([ping, ping]));
    expect(chunks.every(({ buffer }) => buffer !== options.scratch.buffer)).toBe(true);
  });

  it("leaves alone what is no plain socket, or has bytes that nobody has read", async () => {
    class OtherSocket extends Socket {}
    expect(DirectSocket.takeOver(new OtherSocket(), options)).toBeUndefined();
    expect(DirectSocket.takeOver(new Socket(), options)).toBeUndefined();
    const { client, accepted } = await connection();
    client.write(MESSAGE);
    await once(accepted, "readable");
    expect(DirectSocket.takeOver(accepted, options)).toBeUndefined();
    expect(accepted.read()).toEqual(Buffer.from(MESSAGE));
  });
});
