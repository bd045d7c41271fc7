// A client that speaks to a broker over a bare TCP socket and may therefore do anything: half requests, broken
// WebSocket frames, silence. It answers nothing by itself and closes only when told.

import { connect, type Socket } from "node:net";
import {
  type ApiName,
  apis,
  decodeResponseFrame,
  encodeRequest,
  errorMessageOf,
  errorName,
  type RequestOf,
  type ResponseOf,
} from "@millrace/protocol";
import { eventually } from "./eventually.js";
import { FrameReader, type ServerFrame, webSocketFrame } from "./web-socket-frames.js";

export interface UpgradeOptions {
  readonly origin?: string | undefined;
  /** undefined: none is offered. */
  readonly subProtocol?: string | undefined;
}

export interface Answer<N extends ApiName> {
  /** "NONE" on success. */
  readonly error: string;
  readonly message: string | null;
  readonly body: ResponseOf<N>;
  readonly records: Uint8Array;
}

export class RawClient {
  readonly socket: Socket;
  /** Frames from the server that nobody has taken yet. */
  readonly frames: ServerFrame[] = [];
  /** The HTTP answer's head and what of it there is, before an upgrade. */
  httpText = "";
  isClosed = false;
  receivedBytes = 0;
  readonly #reader = new FrameReader();
  #isUpgraded = false;
  #correlationId = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
    });
    socket.on("data", (chunk) => this.#receive(chunk));
  }

  /** A TCP connection on which nothing was said. */
  static async tcp(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawClient(socket);
  }

  /** A connection that asked to become a WebSocket and got an answer: see `status`. */
  static async knock(
    port: number,
    options: UpgradeOptions = { subProtocol: "millrace.v1" },
  ): Promise<RawClient> {
    const client = await RawClient.tcp(port);
    client.write(upgradeRequest(port, options));
    await eventually(() => client.isClosed || client.#isUpgraded, "an answer to the upgrade");
    return client;
  }

  /** An open WebSocket that has not said hello. */
  static async open(port: number): Promise<RawClient> {
    const client = await RawClient.knock(port);
    if (!client.#isUpgraded) {
      throw new Error(`not upgraded: ${client.httpText}`);
    }
    return client;
  }

  /** An open WebSocket that has said hello. */
  static async greeted(port: number, clientId: string | null = null): Promise<RawClient> {
    const client = await RawClient.open(port);
    const { error } = await client.hello(clientId);
    if (error !== "NONE") {
      throw new Error(`hello was answered with ${error}`);
    }
    return client;
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.httpText)?.[1] ?? 0);
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** One binary message. */
  send(payload: Uint8Array): void {
    this.write(webSocketFrame(payload));
  }

  hello(clientId: string | null = null, software = "raw"): Promise<Answer<"hello">> {
    return this.request("hello", { software, softwareVersion: "1", clientId, clusterId: null });
  }

  /** Sends a request; the answer is the next message. */
  request<N extends ApiName>(api: N, body: RequestOf<N>, records?: Uint8Array): Promise<Answer<N>> {
    this.#correlationId += 1;
    const chunks = encodeRequest(api, this.#correlationId, body, records && [records]);
    this.send(Buffer.concat(chunks));
    return this.answer(api);
  }

  /** The next message, read as an answer of `api`. */
  async answer<N extends ApiName>(api: N): Promise<Answer<N>> {
    const frame = await this.nextFrame();
    if (frame.opcode !== 2) {
      throw new Error(`expected an answer, got opcode ${frame.opcode}: ${closeText(frame)}`);
    }
    const response = decodeResponseFrame(frame.payload);
    const isSuccess = response.errorCode === 0;
    const { fromWire } = apis[api].response;
    return {
      error: errorName(response.errorCode),
      message: errorMessageOf(response.body),
      body: (isSuccess ? fromWire(response.body, "body") : undefined) as ResponseOf<N>,
      records: response.records,
    };
  }

  /** What the server said of it before it closed the connection: its last error, the close code and reason. */
  async closing(): Promise<{ error: string; message: string; code: number; reason: string }> {
    await eventually(
      () => this.isClosed || this.frames.some(({ opcode }) => opcode === 8),
      "the server to close the connection",
    );
    const close = this.frames.find(({ opcode }) => opcode === 8);
    const last = this.frames.findLast(({ opcode }) => opcode === 2);
    const answer = last === undefined ? undefined : decodeResponseFrame(last.payload);
    this.socket.destroy();
    return {
      error: answer === undefined ? "" : errorName(answer.errorCode),
      message: errorMessageOf(answer?.body) ?? "",
      code: close === undefined ? 1006 : Buffer.from(close.payload).readUInt16BE(0),
      reason: close === undefined ? "" : closeText(close),
    };
  }

  /** Resolves when the socket is closed. */
  async ended(): Promise<void> {
    await eventually(() => this.isClosed, "the server to close the connection");
  }

  async nextFrame(): Promise<ServerFrame> {
    await eventually(() => this.frames.length > 0 || this.isClosed, "a frame from the server");
    const frame = this.frames.shift();
    if (frame === undefined) {
      throw new Error("the server closed the connection without a word");
    }
    return frame;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    if (this.#isUpgraded) {
      this.frames.push(...this.#reader.push(chunk));
      return;
    }
    this.httpText += chunk.toString("latin1");
    const end = this.httpText.indexOf("\r\n\r\n");
    if (this.status === 101 && end >= 0) {
      this.#isUpgraded = true;
      const rest = Buffer.from(this.httpText.slice(end + 4), "latin1");
      this.frames.push(...this.#reader.push(rest));
    }
  }
}

export function upgradeRequest(port: number, options: UpgradeOptions): string {
  return [
    "GET / HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(options.subProtocol === undefined
      ? []
      : [`Sec-WebSocket-Protocol: ${options.subProtocol}`]),
    ...(options.origin === undefined ? [] : [`Origin: ${options.origin}`]),
    "",
    "",
  ].join("\r\n");
}

function closeText(frame: ServerFrame): string {
  return Buffer.from(frame.payload.subarray(2)).toString("utf8");
}
