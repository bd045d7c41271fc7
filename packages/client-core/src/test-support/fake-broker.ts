// A broker that does what a test says: it speaks the protocol's frames over the simulated network, and each
// API's answer is a function of the test's. Only tests import it.

import {
  type ApiName,
  apiName,
  apis,
  decodeRequestFrame,
  encodeErrorResponse,
  encodeResponse,
  type ResponseOf,
  type WireErrorName,
} from "@millrace/protocol";
import type { AcceptedConnection, Listener, ServerRuntime } from "@millrace/runtime";

export interface FakeRequest {
  readonly api: ApiName;
  readonly correlationId: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every API.
  readonly body: any;
  readonly records: Uint8Array;
  readonly connection: AcceptedConnection;
}

export type FakeAnswer =
  | { readonly body: unknown; readonly records?: readonly Uint8Array[] }
  | { readonly error: WireErrorName; readonly message?: string }
  | { readonly raw: Uint8Array }
  | "none"
  | "reset";

export type FakeHandler = (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>;

export interface FakeBrokerOptions {
  readonly port?: number;
  readonly nodeId?: number;
  readonly clusterId?: string;
  readonly advertised?: string;
  readonly limits?: Partial<ResponseOf<"hello">["limits"]>;
  readonly handlers?: Partial<Record<ApiName, FakeHandler>>;
}

export const topicId = (name: string): string => {
  const hex = [...name].map((letter) => letter.charCodeAt(0).toString(16)).join("");
  const padded = hex.slice(0, 32).padEnd(32, "0");
  return [
    padded.slice(0, 8),
    padded.slice(8, 12),
    padded.slice(12, 16),
    padded.slice(16, 20),
    padded.slice(20),
  ].join("-");
};

export class FakeBroker {
  readonly requests: FakeRequest[] = [];
  readonly connections: AcceptedConnection[] = [];
  readonly topics = new Map<string, number>();
  readonly handlers: Partial<Record<ApiName, FakeHandler>>;
  readonly nodeId: number;
  clusterId: string;
  advertised: string;
  limits: ResponseOf<"hello">["limits"];
  openConnections = 0;
  #listener: Listener | undefined;

  private constructor(options: FakeBrokerOptions, url: string) {
    this.nodeId = options.nodeId ?? 1;
    this.clusterId = options.clusterId ?? "cluster-a";
    this.advertised = options.advertised ?? url;
    this.limits = {
      maxFrameBytes: 2_000_000,
      maxInFlightRequests: 100,
      maxInFlightBytes: 10_000_000,
      idleTimeoutMs: 600_000,
      ...options.limits,
    };
    this.handlers = {
      hello: () => ({ body: this.hello() }),
      metadata: (request) => ({ body: this.metadata(request.body.topics) }),
      describeCluster: () => ({ body: this.describeCluster() }),
      ...options.handlers,
    };
  }

  static async start(
    runtime: ServerRuntime,
    name: string,
    options: FakeBrokerOptions = {},
  ): Promise<FakeBroker> {
    const port = options.port ?? 9092;
    const broker = new FakeBroker(options, `ws://${name}:${port}`);
    broker.#listener = await runtime.network.listen({
      host: "0.0.0.0",
      port,
      limits: {
        maxMessageBytes: 10_000_000,
        maxPartialBytes: 10_000_000,
        partialMessageTimeoutMs: 10_000,
        maxConnections: 100,
        handshakeTimeoutMs: 10_000,
      },
      allowUpgrade: () => true,
      onConnection: (connection) => broker.#accept(connection),
      onHttpRequest: () => ({ status: 404, body: "" }),
    });
    return broker;
  }

  async stop(): Promise<void> {
    await this.#listener?.close(0);
  }

  seen(api: ApiName): FakeRequest[] {
    return this.requests.filter((request) => request.api === api);
  }

  hello(): ResponseOf<"hello"> {
    return {
      software: "fake",
      softwareVersion: "0",
      clusterId: this.clusterId,
      nodeId: this.nodeId,
      apis: Object.values(apis).map(({ key, minVersion, maxVersion }) => ({
        apiKey: key,
        minVersion,
        maxVersion,
      })),
      limits: this.limits,
      authMechanisms: [],
      authenticationRequired: false,
    };
  }

  metadata(names: readonly string[] | null): ResponseOf<"metadata"> {
    return {
      clusterId: this.clusterId,
      controllerId: this.nodeId,
      brokers: [{ nodeId: this.nodeId, url: this.advertised, rack: null }],
      topics: (names ?? [...this.topics.keys()]).map((name) => this.#topic(name)),
    };
  }

  describeCluster(): ResponseOf<"describeCluster"> {
    return {
      clusterId: this.clusterId,
      controllerId: this.nodeId,
      brokers: [{ nodeId: this.nodeId, url: this.advertised, rack: null }],
      nodeId: this.nodeId,
      softwareVersion: "0",
      topicCount: this.topics.size,
      partitionCount: 0,
      voters: [],
    };
  }

  #topic(name: string): ResponseOf<"metadata">["topics"][number] {
    const partitions = this.topics.get(name);
    return {
      name,
      topicId: partitions === undefined ? null : topicId(name),
      errorCode: partitions === undefined ? 3 : 0,
      errorMessage: null,
      isInternal: false,
      maxMessageBytes: 1_048_588,
      partitions: Array.from({ length: partitions ?? 0 }, (_, partition) => ({
        partition,
        leaderId: this.nodeId,
        leaderEpoch: 0,
        replicas: [this.nodeId],
        isr: [this.nodeId],
      })),
    };
  }

  #accept(connection: AcceptedConnection) {
    this.connections.push(connection);
    this.openConnections++;
    return {
      onMessage: (message: Uint8Array) => {
        this.#answer(connection, message).catch((error: unknown) => {
          throw error;
        });
      },
      onClose: () => {
        this.openConnections--;
      },
    };
  }

  async #answer(connection: AcceptedConnection, message: Uint8Array): Promise<void> {
    const frame = decodeRequestFrame(message);
    const api = apiName(frame.apiKey);
    if (api === undefined) {
      throw new Error(`unknown API ${frame.apiKey}`);
    }
    const { correlationId, records } = frame;
    const body: unknown = apis[api].request.fromWire(frame.body, "body");
    const request: FakeRequest = { api, correlationId, body, records, connection };
    this.requests.push(request);
    const handler = this.handlers[api] ?? (() => ({ error: "UNSUPPORTED_VERSION" as const }));
    const answer = await handler(request);
    if (answer === "none") {
      return;
    }
    if (answer === "reset") {
      connection.terminate();
    } else if ("raw" in answer) {
      connection.send([answer.raw]);
    } else if ("error" in answer) {
      const message = "message" in answer ? (answer.message ?? null) : null;
      connection.send(encodeErrorResponse(correlationId, answer.error, message));
    } else {
      connection.send(encodeResponse(api, correlationId, answer.body as never, answer.records));
    }
  }
}
