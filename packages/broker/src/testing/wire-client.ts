// A client that sends exactly what a test wants: typed requests, raw frames, whatever. Only tests import it.

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
import type { CloseReason, Connection, Network } from "@millrace/runtime";

export interface WireAnswer<N extends ApiName> {
  /** "NONE" on success. */
  readonly error: string;
  readonly message: string | null;
  readonly body: ResponseOf<N>;
  readonly records: Uint8Array;
}

export class WireClient {
  readonly connection: Connection;
  readonly closed: Promise<CloseReason>;
  /** Correlation ids of answers, in the order they came. */
  readonly answered: number[] = [];
  private nextCorrelationId = 1;
  private readonly waiting = new Map<number, (message: Uint8Array) => void>();
  private readonly closedCallbacks: (() => void)[] = [];

  private constructor(connection: Connection, closed: Promise<CloseReason>) {
    this.connection = connection;
    this.closed = closed;
  }

  static async connect(network: Network, url: string): Promise<WireClient> {
    let client: WireClient | undefined;
    let resolveClosed: (reason: CloseReason) => void = () => {};
    const closed = new Promise<CloseReason>((resolve) => {
      resolveClosed = resolve;
    });
    await network.dial(
      url,
      { maxMessageBytes: 64 * 1024 * 1024, connectTimeoutMs: 5000 },
      (connection) => {
        client = new WireClient(connection, closed);
        return {
          onMessage: (message) => client?.receive(message),
          onClose: (reason) => {
            resolveClosed(reason);
            for (const callback of client?.closedCallbacks ?? []) {
              callback();
            }
          },
        };
      },
    );
    if (client === undefined) {
      throw new Error("not attached");
    }
    return client;
  }

  /** Connects and says hello. */
  static async open(network: Network, url: string): Promise<WireClient> {
    const client = await WireClient.connect(network, url);
    await client.hello();
    return client;
  }

  hello(rest: Partial<RequestOf<"hello">> = {}): Promise<WireAnswer<"hello">> {
    return this.request("hello", {
      software: "test",
      softwareVersion: "1",
      clientId: null,
      clusterId: null,
      ...rest,
    });
  }

  request<N extends ApiName>(
    api: N,
    body: RequestOf<N>,
    records?: Uint8Array,
  ): Promise<WireAnswer<N>> {
    const correlationId = this.nextCorrelationId;
    this.nextCorrelationId += 1;
    const chunks = encodeRequest(api, correlationId, body, records && [records]);
    return this.exchange(api, correlationId, chunks);
  }

  /** Sends raw bytes and resolves with the answer to `correlationId`. */
  exchange<N extends ApiName>(
    api: N,
    correlationId: number,
    chunks: readonly Uint8Array[],
  ): Promise<WireAnswer<N>> {
    return new Promise((resolve, reject) => {
      this.waiting.set(correlationId, (message) => {
        const frame = decodeResponseFrame(message);
        const schema = apis[api].response;
        resolve({
          error: errorName(frame.errorCode),
          message: errorMessageOf(frame.body),
          body: (frame.errorCode === 0
            ? schema.fromWire(frame.body, "body")
            : undefined) as ResponseOf<N>,
          records: frame.records,
        });
      });
      this.closedCallbacks.push(() => reject(new Error("closed before the answer")));
      this.connection.send(chunks);
    });
  }

  /** How many answers are outstanding. */
  get outstanding(): number {
    return this.waiting.size;
  }

  private receive(message: Uint8Array): void {
    const { correlationId } = decodeResponseFrame(message);
    this.answered.push(correlationId);
    const handler = this.waiting.get(correlationId);
    this.waiting.delete(correlationId);
    handler?.(message);
  }
}
