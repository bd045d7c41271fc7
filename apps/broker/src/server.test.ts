import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterClient } from "@millrace/client-core";
import { RecordBatchBuilder } from "@millrace/protocol";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serverExitCodeOf, serverExitCodes } from "./exit-codes.js";
import { runServer } from "./run-server.js";
import { type RunningServer, type ServerOptions, startServer } from "./server.js";

const runtime = createNodeRuntime({ logger: silentLogger });
let directory = "";
const servers: RunningServer[] = [];
const clients: ClusterClient[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-server-"));
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(options: ServerOptions = {}): Promise<RunningServer> {
  const dataDirectory = join(directory, "data");
  const server = await startServer({ port: 0, dataDirectory, logger: silentLogger, ...options });
  servers.push(server);
  return server;
}

function clientOf(server: RunningServer): ClusterClient {
  const client = new ClusterClient({ runtime, bootstrap: server.url });
  clients.push(client);
  return client;
}

async function send(client: ClusterClient, topic: string, values: string[]) {
  const { topicId } = await client.metadata.topic(topic);
  const builder = new RecordBatchBuilder();
  for (const value of values) {
    builder.append({ key: null, value, timestamp: Date.now() });
  }
  const batch = builder.build({ compute: runtime.compute });
  const partitions = [{ topicId, partition: 0, recordsLength: batch.length }];
  const request = { acks: -1, timeoutMs: 5000, partitions };
  const { body } = await client.request("any", "produce", request, { records: [batch] });
  return body.partitions[0];
}

const topics = [{ name: "orders", partitions: 2, replicationFactor: 1, config: {} }];

describe("startServer", () => {
  it("serves on a free port and keeps what was sent over a restart", async () => {
    const first = await start({ topics });
    expect(first.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/);
    const produced = await send(clientOf(first), "orders", ["a", "b", "c"]);
    expect(produced).toMatchObject({ errorCode: 0, baseOffset: 0, replicas: 1, fsynced: true });
    await first.stop();
    await first.stop();
    const second = await start();
    expect(second.clusterId).toBe(first.clusterId);
    expect(await send(clientOf(second), "orders", ["d"])).toMatchObject({ baseOffset: 3 });
  });

  it("answers GET /health on the same port", async () => {
    const server = await start({ topics });
    const response = await fetch(`http://127.0.0.1:${server.port}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "running", topics: 1, partitions: 2 });
  });

  it("applies a topics file again and again, and leaves existing topics as they are", async () => {
    const file = join(directory, "topics.json");
    await writeFile(file, JSON.stringify([{ name: "a", partitions: 2, replication_factor: 1 }]));
    await (await start({ topics: file })).stop();
    await writeFile(file, JSON.stringify([{ name: "a", partitions: 5 }, { name: "b" }]));
    const warnings: unknown[] = [];
    const warn = (fields: object): void => void warnings.push(fields);
    const server = await start({ topics: file, logger: { ...silentLogger, warn } });
    const metadata = clientOf(server).metadata;
    expect((await metadata.topic("a")).partitions).toHaveLength(2);
    expect((await metadata.topic("b")).partitions).toHaveLength(1);
    expect(warnings).toEqual([{ topic: "a", difference: "partitions is 2, not 5" }]);
  });

  it("refuses a replication factor above 1 with the reason, unless told to clamp", async () => {
    const three = [{ name: "t", partitions: 1, replicationFactor: 3, config: {} }];
    const failure = await start({ topics: three }).catch((error: unknown) => error);
    expect(String(failure)).toContain("needs 3 brokers, and this cluster has 1 broker");
    expect(serverExitCodeOf(failure)).toBe(serverExitCodes.USAGE);
    const server = await start({ topics: three, clampReplication: true });
    expect((await clientOf(server).metadata.topic("t")).partitions).toHaveLength(1);
  });

  it("refuses to listen beyond loopback without being told twice", async () => {
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com"]) {
      const failure = await start({ host }).catch((error: unknown) => error);
      expect(String(failure)).toContain("--allow-insecure-listen");
      expect(serverExitCodeOf(failure)).toBe(serverExitCodes.USAGE);
    }
    const server = await start({ host: "0.0.0.0", allowInsecureListen: true });
    expect(server.url).toBe(`ws://127.0.0.1:${server.port}`);
  });

  it("says that the port is in use, and touches no data", async () => {
    const occupant = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => occupant.once("listening", resolve));
    const { port } = occupant.address() as AddressInfo;
    const failure = await start({ port }).catch((error: unknown) => error);
    expect(serverExitCodeOf(failure)).toBe(serverExitCodes.CANNOT_LISTEN);
    occupant.close();
    await start({ port: 0 });
  });

  it("says that the data directory is in use, and disturbs nobody", async () => {
    const first = await start({ topics });
    const failure = await start().catch((error: unknown) => error);
    expect(serverExitCodeOf(failure)).toBe(serverExitCodes.DATA_DIRECTORY);
    expect(await send(clientOf(first), "orders", ["a"])).toMatchObject({ errorCode: 0 });
  });

  it("refuses another node's or another cluster's data", async () => {
    await (await start()).stop();
    for (const options of [{ nodeId: 7 }, { clusterId: "another" }]) {
      const failure = await start(options).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect(serverExitCodeOf(failure)).toBe(serverExitCodes.DATA_DIRECTORY);
    }
    await start();
  });

  it("refuses wrong configuration with the key's name", async () => {
    await expect(start({ config: { "num.partitions": "0" } })).rejects.toThrow("num.partitions");
    await expect(start({ topics: join(directory, "none.json") })).rejects.toThrow("cannot be read");
  });

  it("tells clients the advertised address", async () => {
    const server = await start({ advertise: "ws://millrace.example:1234/" });
    expect(server.url).toBe("ws://millrace.example:1234");
  });

  it("survives clients that hang up in the middle", async () => {
    const server = await start({ topics });
    for (const text of [
      "",
      "GET / HTTP/1.1\r\n",
      "\u0000\u0001\u0002",
      "GET /health HTTP/1.1\r\n\r\n",
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, "127.0.0.1", () => {
          socket.write(text, () => socket.destroy());
        });
        socket.on("close", () => resolve()).on("error", () => resolve());
      });
    }
    expect(await send(clientOf(server), "orders", ["a"])).toMatchObject({ errorCode: 0 });
  });
});

describe("runServer", () => {
  function run(flags: Record<string, unknown>, environment: Record<string, string> = {}) {
    const output: string[] = [];
    const errors: string[] = [];
    const exits: number[] = [];
    let signal: (name: string) => void = () => {};
    const listening = new Promise<Record<string, unknown>>((resolve) => {
      output.push = (text: string) => {
        resolve(JSON.parse(text) as Record<string, unknown>);
        return 1;
      };
    });
    const code = runServer({
      flags: { logLevel: "silent", dataDirectory: join(directory, "data"), port: "0", ...flags },
      environment,
      writeOutput: (text) => void output.push(text),
      writeError: (text) => void errors.push(text),
      onSignal: (callback) => {
        signal = callback;
        return () => {};
      },
      exitNow: (exit) => void exits.push(exit),
    });
    return { code, errors, exits, listening, signal: (name: string) => signal(name) };
  }

  it("prints one line when it serves, and ends with 0 after a signal", async () => {
    const running = run({ json: true });
    const event = await running.listening;
    expect(event).toMatchObject({ event: "listening", host: "127.0.0.1", nodeId: 0 });
    expect(event["url"]).toBe(`ws://127.0.0.1:${String(event["port"])}`);
    running.signal("SIGTERM");
    expect(await running.code).toBe(0);
    expect(running.exits).toEqual([]);
  });

  it("ends at once with a second signal", async () => {
    const running = run({ json: true });
    await running.listening;
    running.signal("SIGINT");
    running.signal("SIGINT");
    expect(running.exits).toEqual([serverExitCodes.INTERRUPTED]);
    await running.code;
  });

  it("writes what is wrong and gives its code", async () => {
    const usage = run({ port: "many" });
    expect(await usage.code).toBe(serverExitCodes.USAGE);
    expect(usage.errors.join("")).toMatch(/^millrace: .*--port: expected a whole number/);
    const file = join(directory, "config.json");
    await writeFile(file, '{ "port": true }');
    expect(await run({ configFile: file }).code).toBe(serverExitCodes.USAGE);
    expect(await run({}, { MILLRACE_CONFIG_FILE: join(directory, "no") }).code).toBe(
      serverExitCodes.USAGE,
    );
  });
});
