import { apis } from "@millrace/protocol";
import type { Connection, DialOptions } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { AbortSource } from "./abort.js";
import type { ClusterClient } from "./cluster-client.js";
import { codeOf, inWorld } from "./test-support/world.js";

const describeCluster = (client: ClusterClient, timeoutMs?: number): Promise<unknown> =>
  client.request({ nodeId: 1 }, "describeCluster", {}, { timeoutMs });

/** Produce requests are told apart by the length they announce. */
const numbered = (client: ClusterClient, number: number, size = 0) =>
  client.request(
    { nodeId: 1 },
    "produce",
    { acks: 1, timeoutMs: number, partitions: [] },
    { records: [new Uint8Array(size)] },
  );

describe("ClusterClient", () => {
  it("dials nothing until it is asked for something", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      world.client();
      await world.simulation.sleep(10_000);
      expect(broker.connections).toHaveLength(0);
    }));

  it("says hello with its client id, then sends the request and gives its answer", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const client = world.client({ clientId: "orders-service" });
      const answer = await client.request("any", "describeCluster", {});
      expect(answer.body.clusterId).toBe("cluster-a");
      expect(client.clusterId).toBe("cluster-a");
      expect(broker.requests.map(({ api }) => api)).toEqual(["hello", "describeCluster"]);
      expect(broker.seen("hello")[0]?.body.clientId).toBe("orders-service");
    }));

  it("uses the connection that answered first for the node it turned out to be", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const client = world.client();
      await client.request("any", "describeCluster", {});
      await describeCluster(client);
      await client.request("controller", "describeCluster", {});
      expect(broker.connections).toHaveLength(1);
    }));

  it("gives each channel a connection of its own", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const client = world.client();
      await Promise.all(
        ["default", "fetch", "heartbeat"].map((channel) =>
          client.request({ nodeId: 1 }, "describeCluster", {}, { channel }),
        ),
      );
      expect(broker.connections).toHaveLength(3);
    }));

  it("writes requests in the order of the calls, also those made while it was connecting", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", {
        handlers: { produce: () => ({ body: { partitions: [] } }) },
      });
      const client = world.client();
      const early = Array.from({ length: 20 }, (_, number) => numbered(client, number));
      await early[0];
      const late = Array.from({ length: 20 }, (_, number) => numbered(client, 20 + number));
      await Promise.all([...early, ...late]);
      const order = broker.seen("produce").map(({ body }) => body.timeoutMs);
      expect(order).toEqual(Array.from({ length: 40 }, (_, number) => number));
    }));

  it("matches answers to requests when they overtake each other", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.initProducerId = async ({ body }) => {
        await world.simulation.sleep(1000 - body.producerId * 10);
        return { body: { producerId: body.producerId, producerEpoch: 0 } };
      };
      const client = world.client();
      const ids = Array.from({ length: 50 }, (_, id) => id);
      const answers = await Promise.all(
        ids.map((producerId) =>
          client.request("any", "initProducerId", {
            transactionalId: null,
            producerId,
            producerEpoch: -1,
          }),
        ),
      );
      expect(answers.map(({ body }) => body.producerId)).toEqual(ids);
    }));

  it("never has more outstanding than the broker's credits allow, in requests or in bytes", () =>
    inWorld(async (world) => {
      let outstanding = 0;
      let bytes = 0;
      const peaks = { outstanding: 0, bytes: 0 };
      await world.broker("broker", {
        limits: { maxInFlightRequests: 3, maxInFlightBytes: 2500 },
        handlers: {
          produce: async ({ records }) => {
            outstanding++;
            bytes += records.length;
            peaks.outstanding = Math.max(peaks.outstanding, outstanding);
            peaks.bytes = Math.max(peaks.bytes, bytes);
            await world.simulation.sleep(20);
            outstanding--;
            bytes -= records.length;
            return { body: { partitions: [] } };
          },
        },
      });
      const client = world.client();
      const sizes = Array.from({ length: 60 }, (_, index) => (index * 397) % 1200);
      await Promise.all(sizes.map((size, number) => numbered(client, number, size)));
      expect(peaks.outstanding).toBe(3);
      expect(peaks.bytes).toBeLessThanOrEqual(2500);
    }));

  it("refuses at once what the broker never takes: a frame too large, an API it does not offer", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", { limits: { maxFrameBytes: 1000 } });
      const hello = broker.hello();
      broker.handlers.hello = () => ({
        body: {
          ...hello,
          apis: hello.apis.filter(({ apiKey }) => apiKey !== apis.listOffsets.key),
        },
      });
      const client = world.client();
      expect(await codeOf(numbered(client, 1, 1001))).toBe("RECORD_LIST_TOO_LARGE");
      expect(client.maxFrameBytes(1)).toBe(1000);
      const request = client.request("any", "listOffsets", { isolationLevel: 0, partitions: [] });
      expect(await codeOf(request)).toBe("UNSUPPORTED_VERSION");
      expect(await codeOf(describeCluster(client))).toBe("none");
    }));

  it("throws the error of the answer, with control characters of its message escaped", () =>
    inWorld(async (world) => {
      await world.broker("broker", {
        handlers: {
          describeCluster: () => ({ error: "POLICY_VIOLATION", message: "no\u001b[31m red" }),
        },
      });
      await expect(describeCluster(world.client())).rejects.toMatchObject({
        code: "POLICY_VIOLATION",
        message: "POLICY_VIOLATION: no\\u001b[31m red",
        retriable: false,
      });
    }));

  it("publishes connections and requests to whoever subscribed", () =>
    inWorld(async (world) => {
      await world.broker("broker");
      const published: string[] = [];
      const runtime = world.runtime({
        diagnostics: {
          channel: (name) => ({
            hasSubscribers: true,
            publish: (message) => published.push(`${name} ${message["api"] ?? message["nodeId"]}`),
          }),
        },
      });
      const client = world.client({ runtime });
      await client.request("any", "describeCluster", {});
      await client.close();
      expect(published).toEqual([
        "millrace:connection:open 1",
        "millrace:request describeCluster",
        "millrace:connection:close 1",
      ]);
    }));

  it("dials again where metadata says the node is now", () =>
    inWorld(async (world) => {
      const first = await world.broker("broker");
      const client = world.client({ bootstrap: ["ws://broker:9092", "ws://elsewhere:9092"] });
      await describeCluster(client);
      await client.metadata.refresh([]);
      await first.stop();
      const second = await world.broker("elsewhere");
      await client.retry(() => describeCluster(client));
      expect(second.seen("describeCluster")).toHaveLength(1);
    }));

  it("finds a broker among addresses that are dead", () =>
    inWorld(async (world) => {
      await world.broker("broker");
      const client = world.client({
        bootstrap: "nowhere:9092,broker:1,broker:9092,alsonowhere:9092",
        connectTimeoutMs: 500,
      });
      expect(await codeOf(client.request("any", "describeCluster", {}))).toBe("none");
    }));

  it("does not talk to a node that another node answers for", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      await world.broker("impostor", { nodeId: 2 });
      broker.advertised = "ws://impostor:9092";
      const client = world.client();
      await client.metadata.refresh([]);
      const request = client.request({ nodeId: 1 }, "describeCluster", {}, { channel: "fetch" });
      expect(await codeOf(request)).toBe("BROKER_NOT_AVAILABLE");
    }));

  it("refuses an advertised address that cannot be used", () =>
    inWorld(async (world) => {
      await world.broker("broker", { advertised: "http://user:secret@broker:9092" });
      const client = world.client();
      await client.metadata.refresh([]);
      const request = client.request({ nodeId: 1 }, "describeCluster", {}, { channel: "fetch" });
      const error = await request.catch((reason: Error) => reason);
      expect(error).toMatchObject({ code: "PROTOCOL_VIOLATION" });
      expect(String(error)).not.toContain("secret");
    }));

  it("refuses to go on with another cluster", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const client = world.client();
      await describeCluster(client);
      await broker.stop();
      await world.broker("broker", { clusterId: "cluster-b" });
      const outcome = client.retry(() => describeCluster(client));
      await expect(outcome).rejects.toMatchObject({
        code: "INCONSISTENT_CLUSTER_ID",
        retriable: false,
      });
    }));

  it("says what is missing when the broker asks for authentication", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.hello = () => ({
        body: { ...broker.hello(), authenticationRequired: true, authMechanisms: ["PLAIN"] },
      });
      const error = describeCluster(world.client());
      await expect(error).rejects.toMatchObject({ code: "UNSUPPORTED_SASL_MECHANISM" });
      await expect(error).rejects.toThrow("PLAIN");
    }));

  it("closes a connection that nothing was asked on for a while, and dials again when needed", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const client = world.client({ connectionMaxIdleMs: 5000 });
      await describeCluster(client);
      await world.simulation.sleep(4000);
      expect(broker.openConnections).toBe(1);
      await describeCluster(client);
      await world.simulation.sleep(4000);
      expect(broker.openConnections).toBe(1);
      await world.simulation.sleep(7000);
      expect(broker.openConnections).toBe(0);
      await describeCluster(client);
      expect(broker.connections).toHaveLength(2);
      expect(world.lines.filter(({ level }) => level === "warn")).toEqual([]);
    }));

  it("hands records over without copying them", () =>
    inWorld(async (world) => {
      await world.broker("broker", { handlers: { produce: () => ({ body: { partitions: [] } }) } });
      const sent: Uint8Array[] = [];
      const inner = world.runtime();
      const runtime = world.runtime({
        network: {
          dial: (url: string, options: DialOptions, attach) =>
            inner.network.dial(url, options, (connection: Connection) => {
              const send = connection.send.bind(connection);
              connection.send = (chunks) => {
                sent.push(...chunks);
                send(chunks);
              };
              return attach(connection);
            }),
        },
      });
      const records = new Uint8Array(5000);
      const client = world.client({ runtime });
      await client.request(
        { nodeId: 1 },
        "produce",
        { acks: 1, timeoutMs: 1, partitions: [] },
        { records: [records] },
      );
      expect(sent).toContain(records);
    }));

  it("takes an abort at every stage and leaves no listener behind", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", { handlers: { describeCluster: () => "none" } });
      const source = new AbortSource();
      const options = { signal: source.signal };
      const client = world.client();
      const blocked = world.client({ bootstrap: "broker:1" });
      const requests = [
        client.request("any", "describeCluster", {}, options),
        client.metadata.topic("orders", options),
        blocked.retry(() => blocked.request("any", "describeCluster", {}, options), options),
      ];
      await world.simulation.sleep(500);
      expect(broker.seen("describeCluster")).toHaveLength(1);
      expect(await codeOf(requests[1] as Promise<unknown>)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
      source.abort(new Error("enough"));
      expect(await codeOf(requests[0] as Promise<unknown>)).toBe("ABORTED");
      expect(await codeOf(requests[2] as Promise<unknown>)).toBe("ABORTED");
      expect(await codeOf(client.request("any", "describeCluster", {}, options))).toBe("ABORTED");
      expect(source.listenerCount).toBe(0);
    }));

  it("leaves no listener on a signal after thousands of requests", () =>
    inWorld(async (world) => {
      await world.broker("broker");
      const source = new AbortSource();
      const client = world.client();
      for (let round = 0; round < 20; round++) {
        const all = Array.from({ length: 100 }, () =>
          client.request("any", "describeCluster", {}, { signal: source.signal }),
        );
        await Promise.all(all);
      }
      expect(source.listenerCount).toBe(0);
    }));
});
