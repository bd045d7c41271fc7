// node bench/dist/idle-connections.js [--connections 1000] [--json] [--cli MAIN] [--limit 50]
//
// What mostly idle connections cost a broker in memory: each has said hello, asked for metadata once and left a fetch
// parked. Bare WebSockets, so that a thousand of them fit one process; the broker is a process of its own. Linux.

import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type ApiName, encodeRequest, type RequestOf } from "@millrace/protocol";
import { Millrace } from "millrace";
import { WebSocket } from "ws";
import { BrokerProcess } from "./broker-process.js";

const TOPIC = "idle";
/** Opened at once: the handshakes of all of them are not what is measured. */
const BURST = 50;
const SETTLE_MS = 1_000;
const FETCH_WAIT_MS = 120_000;

export interface IdleConnectionsResult {
  readonly connections: number;
  readonly emptyMegabytes: number;
  readonly withConnectionsMegabytes: number;
  readonly costMegabytes: number;
  readonly peakMegabytes: number;
}

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, "millrace.v1", { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return socket;
}

function send<N extends ApiName>(socket: WebSocket, api: N, body: RequestOf<N>): void {
  socket.send(Buffer.concat(encodeRequest(api, 1, body)));
}

async function ask<N extends ApiName>(
  socket: WebSocket,
  api: N,
  body: RequestOf<N>,
): Promise<void> {
  const answered = new Promise((resolve) => socket.once("message", resolve));
  send(socket, api, body);
  await answered;
}

async function connect(url: string, topicId: string): Promise<WebSocket> {
  const socket = await openSocket(url);
  await ask(socket, "hello", {
    software: "millrace-bench",
    softwareVersion: "0",
    clientId: null,
    clusterId: null,
  });
  await ask(socket, "metadata", { topics: [TOPIC], topicIds: [] });
  const partition = {
    topicId,
    partition: 0,
    fetchOffset: 0,
    maxBytes: 1024 * 1024,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    flushedOffset: -1,
    logStartOffset: -1,
  };
  send(socket, "fetch", {
    replicaId: -1,
    maxWaitMs: FETCH_WAIT_MS,
    minBytes: 1,
    maxBytes: 1024 * 1024,
    isolationLevel: 0,
    rack: null,
    sessionId: 0,
    sessionEpoch: 0,
    partitions: [partition],
    forgotten: [],
  });
  return socket;
}

/** Against a broker of its own, so that nothing but these connections is in the figure. */
export async function measureIdleConnections(options: {
  readonly connections: number;
  readonly cli?: string | undefined;
}): Promise<IdleConnectionsResult> {
  await using broker = await BrokerProcess.start({ cli: options.cli });
  const client = new Millrace(broker.url);
  await client.admin().createTopic(TOPIC, { partitions: 1 });
  const { topicId } = await client.admin().describeTopic(TOPIC);
  await client.close();
  // One of them first: what the first use of anything loads is no connection's.
  const sockets = [await connect(broker.url, topicId)];
  await sleep(SETTLE_MS);
  const empty = broker.figures().residentMegabytes;
  while (sockets.length < options.connections + 1) {
    const count = Math.min(BURST, options.connections + 1 - sockets.length);
    sockets.push(
      ...(await Promise.all(Array.from({ length: count }, () => connect(broker.url, topicId)))),
    );
  }
  await sleep(SETTLE_MS);
  const { residentMegabytes, peakResidentMegabytes } = broker.figures();
  for (const socket of sockets) {
    socket.terminate();
  }
  return {
    connections: options.connections,
    emptyMegabytes: empty,
    withConnectionsMegabytes: residentMegabytes,
    costMegabytes: residentMegabytes - empty,
    peakMegabytes: peakResidentMegabytes,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1000" },
      limit: { type: "string", default: "50" },
      json: { type: "boolean", default: false },
      cli: { type: "string" },
    },
  });
  const result = await measureIdleConnections({
    connections: Number(values.connections),
    cli: values.cli,
  });
  console.log(values.json ? JSON.stringify(result) : result);
  if (result.costMegabytes > Number(values.limit)) {
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main();
}
