// node bench/dist/idle-connections.js [--connections 1000] [--json] [--cli MAIN] [--limit 50]
// node bench/dist/idle-connections.js --producing SECONDS [--connections 1000] [--json] [--cli MAIN] [--limit 250]
//
// What mostly idle connections cost a broker in memory: each has said hello, asked for metadata once and left a fetch
// parked. With `--producing` each has a record of 1 KiB on its way instead, fsynced, and sends the next one when it is
// acknowledged: the most that the broker has resident meanwhile. Bare WebSockets, so that a thousand of them fit one process;
// the broker is a process of its own. Linux.

import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import {
  type ApiName,
  decodeResponseFrame,
  encodeRequest,
  RecordBatchBuilder,
  type RequestOf,
} from "@millrace/protocol";
import { createNodeRuntime } from "@millrace/runtime/node";
import { Millrace } from "millrace";
import { WebSocket } from "ws";
import { BrokerProcess } from "./broker-process.js";

const TOPIC = "idle";
/** Opened at once: the handshakes of all of them are not what is measured. */
const BURST = 50;
const SETTLE_MS = 1_000;
const FETCH_WAIT_MS = 120_000;

const RECORD_BYTES = 1_024;
const PARTITIONS = 4;

export interface ProducingConnectionsResult {
  readonly connections: number;
  readonly recordsPerSecond: number;
  readonly cpuMicrosecondsPerRecord: number;
  readonly peakMegabytes: number;
}

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

async function greet(url: string): Promise<WebSocket> {
  const socket = await openSocket(url);
  await ask(socket, "hello", {
    software: "millrace-bench",
    softwareVersion: "0",
    clientId: null,
    clusterId: null,
  });
  return socket;
}

/** The sockets that `open` gives, some at a time. */
async function openMany(
  count: number,
  open: (index: number) => Promise<WebSocket>,
): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const first = sockets.length;
    const length = Math.min(BURST, count - first);
    sockets.push(...(await Promise.all(Array.from({ length }, (_, at) => open(first + at)))));
  }
  return sockets;
}

async function connect(url: string, topicId: string): Promise<WebSocket> {
  const socket = await greet(url);
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
  sockets.push(...(await openMany(options.connections, () => connect(broker.url, topicId))));
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

/** One after the other, for as long as the socket is open. */
function keepProducing(
  socket: WebSocket,
  place: { readonly topicId: string; readonly partition: number },
  batch: Uint8Array,
  onAcknowledged: () => void,
): void {
  const partitions = [{ ...place, recordsLength: batch.length }];
  const body = { acks: -1, timeoutMs: 30_000, partitions };
  const frame = Buffer.concat(encodeRequest("produce", 1, body, [batch]));
  socket.on("message", (message: Buffer) => {
    if (decodeResponseFrame(message).errorCode !== 0) {
      throw new Error("a produce request failed");
    }
    onAcknowledged();
    socket.send(frame);
  });
  socket.send(frame);
}

/** Against a broker of its own. */
export async function measureProducingConnections(options: {
  readonly connections: number;
  readonly seconds: number;
  readonly cli?: string | undefined;
}): Promise<ProducingConnectionsResult> {
  await using broker = await BrokerProcess.start({ cli: options.cli });
  const client = new Millrace(broker.url);
  await client.admin().createTopic(TOPIC, { partitions: PARTITIONS });
  const { topicId } = await client.admin().describeTopic(TOPIC);
  await client.close();
  const builder = new RecordBatchBuilder();
  builder.append({ key: null, value: new Uint8Array(RECORD_BYTES), timestamp: Date.now() });
  const batch = builder.build({ compute: createNodeRuntime().compute });
  const sockets = await openMany(options.connections, () => greet(broker.url));
  const before = broker.figures();
  let acknowledged = 0;
  for (const [index, socket] of sockets.entries()) {
    keepProducing(socket, { topicId, partition: index % PARTITIONS }, batch, () => acknowledged++);
  }
  await sleep(options.seconds * 1_000);
  const after = broker.figures();
  const count = acknowledged;
  for (const socket of sockets) {
    socket.terminate();
  }
  return {
    connections: options.connections,
    recordsPerSecond: count / options.seconds,
    cpuMicrosecondsPerRecord: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / count,
    peakMegabytes: after.peakResidentMegabytes,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "1000" },
      limit: { type: "string" },
      producing: { type: "string" },
      json: { type: "boolean", default: false },
      cli: { type: "string" },
    },
  });
  const { cli, producing } = values;
  const connections = Number(values.connections);
  const result =
    producing === undefined
      ? await measureIdleConnections({ connections, cli })
      : await measureProducingConnections({ connections, cli, seconds: Number(producing) });
  console.log(values.json ? JSON.stringify(result) : result);
  const megabytes = "costMegabytes" in result ? result.costMegabytes : result.peakMegabytes;
  if (megabytes > Number(values.limit ?? (producing === undefined ? 50 : 250))) {
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main();
}
