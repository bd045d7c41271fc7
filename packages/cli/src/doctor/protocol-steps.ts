// The doctor's steps from the WebSocket upward: the upgrade, `hello`, the addresses that metadata names, and a record
// there and back.

import { randomBytes, randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Admin, type ClusterDescription } from "@millrace/client-admin";
import { Consumer } from "@millrace/client-consumer";
import type { ClusterClient } from "@millrace/client-core";
import { Producer } from "@millrace/client-producer";
import { apis, decodeResponseFrame, encodeRequest, type ResponseOf } from "@millrace/protocol";
import { SUB_PROTOCOL } from "@millrace/runtime";
import { nodeNetwork } from "@millrace/runtime/node";
import { describeError } from "../cli-error.js";
import { Unhealthy } from "./check.js";
import type { Address } from "./network-steps.js";

export type Hello = ResponseOf<"hello">;

interface UpgradeAnswer {
  readonly status: number;
  readonly protocol: string | undefined;
  readonly body: string;
}

const REFUSAL_CHARACTERS_MAX = 1_000;

function upgrade(
  address: Address,
  options: { readonly origin: string | undefined; readonly timeoutMs: number },
): Promise<UpgradeAnswer> {
  const { isSecure, url } = address;
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Protocol": SUB_PROTOCOL,
    ...(options.origin === undefined ? {} : { Origin: options.origin }),
  };
  const target = url.replace(/^ws/, "http");
  const request = (isSecure ? httpsRequest : httpRequest)(target, { headers, agent: false });
  return new Promise((resolve, reject) => {
    request.setTimeout(options.timeoutMs, () => request.destroy(new Error("no answer in time")));
    request.once("upgrade", (response, socket) => {
      socket.destroy();
      const protocol = response.headers["sec-websocket-protocol"];
      resolve({ status: response.statusCode ?? 0, protocol, body: "" });
    });
    request.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body = (body + text).slice(0, REFUSAL_CHARACTERS_MAX);
      });
      response.once("close", () =>
        resolve({ status: response.statusCode ?? 0, protocol: undefined, body }),
      );
    });
    request.once("error", (error) => {
      reject(
        new Unhealthy(
          `the upgrade failed: ${error.message}`,
          "Check proxies in between: they must pass WebSockets on.",
          { cause: error },
        ),
      );
    });
    request.end();
  });
}

/** @throws Unhealthy */
export async function checkUpgrade(
  address: Address,
  options: { readonly origin: string | undefined; readonly timeoutMs: number },
): Promise<string> {
  const { body, protocol, status } = await upgrade(address, options);
  const from = options.origin === undefined ? "" : ` for pages of ${options.origin}`;
  if (status === 101 && protocol === SUB_PROTOCOL) {
    return `upgraded to ${SUB_PROTOCOL}${from}`;
  }
  if (status === 101) {
    throw new Unhealthy(
      `the WebSocket opens with the sub-protocol ${protocol ?? "none"} instead of ${SUB_PROTOCOL}`,
      "A broker of another version, or a proxy that drops Sec-WebSocket-Protocol.",
    );
  }
  if (status === 403 && options.origin !== undefined) {
    throw new Unhealthy(
      `pages of ${options.origin} are refused: ${body.trim()}`,
      `Start the broker with --allowed-origins ${options.origin}.`,
    );
  }
  throw new Unhealthy(
    `the upgrade to a WebSocket is answered with ${status}: ${body.trim().slice(0, 120)}`,
    status === 503
      ? "The broker has too many connections or is stopping; try again later."
      : "Check proxies in between: they must pass WebSockets on.",
  );
}

const HELLO_FRAME_BYTES_MAX = 1024 * 1024;

/** Dials and says hello. @throws Unhealthy */
export async function sayHello(address: Address, timeoutMs: number): Promise<Hello> {
  const answered = new Promise<Uint8Array>((resolve, reject) => {
    const fail = (message: string): void =>
      reject(new Unhealthy(message, "Look at the broker's own output for the reason."));
    const timer = setTimeout(() => fail("hello is not answered"), timeoutMs);
    const limits = { maxMessageBytes: HELLO_FRAME_BYTES_MAX, connectTimeoutMs: timeoutMs };
    nodeNetwork
      .dial(address.url, limits, (connection) => ({
        onMessage: (message) => {
          clearTimeout(timer);
          resolve(message.slice());
          connection.close();
        },
        onClose: ({ code, reason }) => {
          clearTimeout(timer);
          fail(`the connection is closed during hello: ${code} ${reason}`);
        },
      }))
      .then((connection) =>
        connection.send(
          encodeRequest("hello", 1, {
            software: "millrace-doctor",
            softwareVersion: "0",
            clientId: "millrace-doctor",
            clusterId: null,
          }),
        ),
      )
      .catch((error: unknown) => {
        clearTimeout(timer);
        fail(error instanceof Error ? error.message : String(error));
      });
  });
  const frame = decodeResponseFrame(await answered);
  if (frame.errorCode !== 0) {
    throw new Unhealthy(
      `hello is refused with error ${frame.errorCode}`,
      "Look at the broker's own output for the reason.",
    );
  }
  return apis.hello.response.fromWire(frame.body, "hello");
}

/** Names of requests that this client sends and the broker does not take in the version spoken here. */
export function unsupportedApis(hello: Hello): readonly string[] {
  const offered = new Map(hello.apis.map((api) => [api.apiKey, api]));
  return Object.entries(apis).flatMap(([name, { key, minVersion, maxVersion }]) => {
    const found = offered.get(key);
    const isThere =
      found !== undefined && found.minVersion <= maxVersion && minVersion <= found.maxVersion;
    return isThere ? [] : [name];
  });
}

/** @throws Unhealthy */
export async function describeThrough(
  client: ClusterClient,
  signal: AbortSignal,
): Promise<ClusterDescription> {
  try {
    return await new Admin({ client, timeoutMs: 5_000 }).describeCluster({ signal });
  } catch (error) {
    throw unhealthyFrom(error, "the cluster cannot be described");
  }
}

function unhealthyFrom(error: unknown, what: string): Unhealthy {
  const { hint, message } = describeError(error);
  return new Unhealthy(
    `${what}: ${message}`,
    hint ?? "Look at the broker's own output for the reason.",
    {
      cause: error,
    },
  );
}

export interface RoundTrip {
  readonly place: string;
  readonly fsynced: boolean;
  readonly acknowledgedMs: number;
  readonly receivedMs: number;
}

/** Sends one record and reads it back. @throws Unhealthy */
export async function roundTrip(
  client: ClusterClient,
  topic: string,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<RoundTrip> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  const value = `millrace doctor ${randomUUID()}`;
  try {
    await client.metadata.topic(topic, { signal });
    await using producer = new Producer({ client });
    const startedMs = performance.now();
    const { fsynced, offset, partition } = await producer.send({ topic, value }, { signal });
    const acknowledgedMs = performance.now() - startedMs;
    await using consumer = new Consumer({ client, partitions: [{ topic, partition, offset }] });
    for await (const batch of consumer.batches({ signal })) {
      const [record] = batch;
      if (record?.text() === value) {
        const receivedMs = performance.now() - startedMs;
        return { place: `${partition}@${offset}`, fsynced, acknowledgedMs, receivedMs };
      }
      break;
    }
    throw new Unhealthy(
      `another record is at ${topic} ${partition}@${offset} than was sent there`,
      "This is a defect of Millrace; run `millrace log verify` on the broker's machine.",
    );
  } catch (error) {
    if (error instanceof Unhealthy) {
      throw error;
    }
    const isLate = signal.aborted && !options.signal.aborted;
    throw isLate
      ? new Unhealthy(
          `${topic}: no answer in ${options.timeoutMs} ms`,
          "`millrace topics describe` shows whether its partitions are online.",
        )
      : unhealthyFrom(error, topic);
  }
}
