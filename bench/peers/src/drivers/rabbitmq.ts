// RabbitMQ streams through rabbitmq-stream-js-client. The client collects what is sent and publishes it in chunks, as
// long as its `maxChunkLength` allows; the server confirms each record.

import { createRequire } from "node:module";
import { type Client, connect, Offset, type Publisher } from "rabbitmq-stream-js-client";
import type { Driver, ProducerPort } from "../driver.js";
import type { Job } from "../job.js";

/** A chunk has to fit a frame of 1 MiB, with what encoding adds to each record. */
const CHUNK_BYTES = 900_000;
const RECORD_OVERHEAD_BYTES = 40;

/** Confirmations come by publishing id, of any publisher of the connection; ids count from 1. */
class ConfirmedPublisher implements ProducerPort {
  readonly #client: Client;
  readonly #publisher: Publisher;
  readonly #waiting = new Map<
    bigint,
    { left: number; resolve: () => void; reject: (error: Error) => void }
  >();
  #lastId = 0n;

  constructor(client: Client, publisher: Publisher) {
    this.#client = client;
    this.#publisher = publisher;
    publisher.on("publish_confirm", (code, ids) => this.#confirmed(code, ids));
  }

  #confirmed(code: number | null, ids: readonly bigint[]): void {
    for (const id of ids) {
      const group = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (group === undefined) {
        continue;
      }
      if (code !== null) {
        group.reject(new Error(`publishing failed with code ${code}`));
      } else if (--group.left === 0) {
        group.resolve();
      }
    }
  }

  send(value: Uint8Array): Promise<unknown> {
    return this.sendBatch([value]);
  }

  sendBatch(values: readonly Uint8Array[]): Promise<unknown> {
    return new Promise<void>((resolve, reject) => {
      const group = { left: values.length, resolve, reject };
      for (const value of values) {
        const id = ++this.#lastId;
        this.#waiting.set(id, group);
        const content = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        this.#publisher.basicSend(id, content).catch(reject);
      }
    });
  }

  async close(): Promise<void> {
    await this.#publisher.close();
    await this.#client.close();
  }
}

/**
 * The client asks every server for the versions of its commands. Servers before 3.11 (Debian 12 has 3.10) do not know
 * that request and cut the connection. What it decides is whether filters are available, which are not used here.
 */
function skipVersionExchange(): void {
  const require = createRequire(import.meta.url);
  const { Connection } = require("rabbitmq-stream-js-client/dist/connection.js") as {
    Connection: { prototype: { exchangeCommandVersions: () => Promise<void> } };
  };
  Connection.prototype.exchangeCommandVersions = () => Promise.resolve();
}

export async function createDriver(job: Job): Promise<Driver> {
  skipVersionExchange();
  const { topic: stream, workload } = job;
  const [hostname = "", port] = job.address.split(":");
  const open = (): Promise<Client> =>
    connect({
      hostname,
      port: Number(port),
      username: "guest",
      password: "guest",
      vhost: "/",
      heartbeat: 0,
      frameMax: 1024 * 1024,
    });
  const client = await open();
  return {
    createTopic: async () => {
      await client.createStream({ stream, arguments: {} });
    },
    deleteTopic: async () => {
      await client.deleteStream({ stream });
    },
    // The server counts chunks; the number of records is known by reading the stream to its end.
    countRecords: () => readToEnd(client, stream),
    openProducer: async () => {
      const own = await open();
      const perRecord = workload.recordBytes + RECORD_OVERHEAD_BYTES;
      const publisher = await own.declarePublisher({
        stream,
        maxChunkLength: Math.max(1, Math.floor(CHUNK_BYTES / perRecord)),
      });
      return new ConfirmedPublisher(own, publisher);
    },
    openConsumer: async ({ onValue }) => {
      const own = await open();
      await own.declareConsumer({ stream, offset: Offset.first() }, (message) =>
        onValue(message.content),
      );
      return { close: () => own.close() };
    },
    close: () => client.close(),
  };
}

const QUIET_MS = 400;

/** Reads until nothing came for a while. @returns how many records there are */
async function readToEnd(client: Client, stream: string): Promise<number> {
  let records = 0;
  let lastAt = performance.now();
  const consumer = await client.declareConsumer({ stream, offset: Offset.first() }, () => {
    records++;
    lastAt = performance.now();
  });
  while (performance.now() - lastAt < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 4));
  }
  await consumer.close();
  return records;
}
