// A page's life with its broker: it creates, sends, reads, is cut off by kill -9, comes back by itself, sleeps
// frozen, and goes on; each record once and in order. And a page of a foreign origin, which is not let in.

import { readdir, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@millrace/runtime";
import { Millrace } from "millrace";
import type { Browser, Page } from "playwright-core";
import { BrokerProcess } from "../process/broker-process.js";
import { Complaints, foreignHost, ownHost } from "./chromium.js";
import { eventually } from "./eventually.js";
import type { Failure, Harness, HarnessHost } from "./harness.js";
import type { Report } from "./report.js";
import { StaticServer } from "./static-server.js";

const TOPIC = "page";
/** Sent in each part: at once, with gzip, while the broker dies, while the page sleeps, at the end. */
const PART = 300;
/** How long the broker stays dead. */
const DEAD_MS = 700;

export interface ScenarioOptions {
  readonly browser: Browser;
  readonly report: Report;
  /** The folder with the bundled page. */
  readonly bundle: string;
  readonly dataDirectory: string;
}

/** One of the page's own functions, called from here. */
async function call<Name extends keyof Harness>(
  page: Page,
  name: Name,
  ...args: Parameters<Harness[Name]>
): Promise<Awaited<ReturnType<Harness[Name]>>> {
  const result = await page.evaluate(
    async ({ method, values }) => {
      const { harness } = globalThis as unknown as HarnessHost;
      return await (harness[method] as (...all: unknown[]) => unknown)(...values);
    },
    { method: name, values: args as unknown[] },
  );
  return result as Awaited<ReturnType<Harness[Name]>>;
}

type Compression = Parameters<Harness["produce"]>[0]["compression"];

const numbers = (count: number): string =>
  Array.from({ length: count }, (_, index) => index).join();

class PageScenario {
  readonly #options: ScenarioOptions;
  readonly #server: StaticServer;
  readonly #page: Page;
  readonly #complaints: Complaints;
  #broker: BrokerProcess;
  #sent = 0;

  private constructor(options: ScenarioOptions, parts: [StaticServer, Page, BrokerProcess]) {
    this.#options = options;
    [this.#server, this.#page, this.#broker] = parts;
    this.#complaints = new Complaints(this.#page);
  }

  static async open(options: ScenarioOptions): Promise<PageScenario> {
    const server = await StaticServer.start(options.bundle);
    const broker = await startBroker(options, server);
    server.connectTo = broker.url;
    const page = await options.browser.newPage();
    return new PageScenario(options, [server, page, broker]);
  }

  async run(): Promise<void> {
    try {
      await this.#page.goto(`http://${ownHost}:${this.#server.port}/`);
      await call(this.#page, "connect", this.#broker.url);
      await this.#plain();
      await this.#compressed();
      await this.#outage();
      await this.#frozen();
      await this.#node();
      await this.#worker();
      await this.#foreign();
      await call(this.#page, "close");
      const { all } = this.#complaints;
      this.#check("the page printed no error and threw none", all.length === 0, all);
    } finally {
      await this.#page.close();
      await this.#broker.kill("SIGTERM");
      await this.#server[Symbol.asyncDispose]();
    }
  }

  #check(claim: string, isTrue: boolean, details?: unknown): void {
    this.#options.report.check(claim, isTrue, details);
  }

  #produce(compression: Compression, pauseMs = 0): Promise<number[]> {
    const from = this.#sent;
    this.#sent += PART;
    return call(this.#page, "produce", { topic: TOPIC, from, count: PART, compression, pauseMs });
  }

  async #plain(): Promise<void> {
    await call(this.#page, "createTopic", TOPIC);
    await call(this.#page, "startConsumer", TOPIC);
    const offsets = await this.#produce("none");
    const isFine = offsets.join() === numbers(PART);
    this.#check("a page creates a topic and its sends are acknowledged in order", isFine, offsets);
    await this.#allReceived("a page reads what it sent");
  }

  async #compressed(): Promise<void> {
    const before = await this.#sizeBytes();
    const grown: number[] = [];
    for (const codec of ["gzip", "snappy", "lz4"] as const) {
      const startBytes = await this.#sizeBytes();
      await this.#produce(codec);
      grown.push((await this.#sizeBytes()) - startBytes);
      await this.#allReceived(`a page sends and reads ${codec}`);
    }
    const isSmaller = grown.every((bytes) => bytes < before * 0.75);
    this.#check("and each was compressed", isSmaller, { before, grown });
    await this.#fromNode("zstd");
    await this.#allReceived("a page reads zstd");
    const refusal = await call(this.#page, "tryCompression", "zstd");
    const says = refusal?.code === "UNSUPPORTED_COMPRESSION_TYPE" && /zstd/.test(refusal.message);
    this.#check("a codec the browser lacks is refused by name", says, refusal);
  }

  async #outage(): Promise<void> {
    const sending = this.#produce("none", 4);
    await sleep(300);
    this.#complaints.expectFailedConnections(true);
    await this.#broker.kill("SIGKILL");
    await sleep(DEAD_MS);
    this.#broker = await startBroker(this.#options, this.#server, this.#broker.port);
    const offsets = await sending;
    this.#complaints.expectFailedConnections(false);
    const isDistinct = new Set(offsets).size === PART;
    this.#check("kill -9 of the broker: every send is acknowledged once it is back", isDistinct);
    await this.#allReceived("the page came back by itself and read each record once, in order");
  }

  /** As a browser does with tabs that nobody looks at. */
  async #frozen(): Promise<void> {
    const session = await this.#page.context().newCDPSession(this.#page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await this.#fromNode("none");
    await sleep(1_000);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await this.#allReceived("a page that was frozen catches up when it wakes");
  }

  /** The next part, sent by Node instead of the page. */
  async #fromNode(compression: "none" | "zstd"): Promise<void> {
    const values = Array.from({ length: PART }, (_, index) => `${this.#sent + index}`);
    this.#sent += PART;
    await using client = new Millrace({ bootstrap: this.#broker.url, logger: silentLogger });
    const producer = client.producer({ compression });
    await producer.send(values.map((value) => ({ topic: TOPIC, value })));
  }

  async #node(): Promise<void> {
    await this.#produce("gzip");
    await using client = new Millrace({ bootstrap: this.#broker.url, logger: silentLogger });
    const values: (string | null)[] = [];
    for await (const record of client.consumer({ topics: [TOPIC], from: "earliest" })) {
      values.push(record.text());
      if (values.length === this.#sent) {
        break;
      }
    }
    this.#check("Node reads the same records", values.join() === numbers(this.#sent));
    await this.#allReceived("and the page goes on");
  }

  async #worker(): Promise<void> {
    const args = [this.#broker.url, "worker", "hello from a worker"] as const;
    const text = await call(this.#page, "roundTripInWorker", ...args);
    this.#check("a web worker sends and reads by itself", text === "hello from a worker", text);
  }

  async #foreign(): Promise<void> {
    const page = await this.#options.browser.newPage();
    const complaints = new Complaints(page);
    complaints.expectFailedConnections(true);
    await page.goto(`http://${foreignHost}:${this.#server.port}/`);
    const failure: Failure | null = await call(page, "tryToReach", this.#broker.url, 2_000);
    await page.close();
    this.#check("a page of a foreign origin is not let in", failure !== null, failure);
    this.#check("and its errors are the client's own", failure?.code !== "UNEXPECTED", failure);
    const isLogged = this.#broker.log.includes("web pages of this origin may not connect");
    this.#check("the broker's log says why", isLogged);
    const reached = await call(this.#page, "tryToReach", this.#broker.url, 5_000);
    this.#check("while a page of an allowed origin is", reached === null, reached);
  }

  async #allReceived(claim: string): Promise<void> {
    const expected = this.#sent;
    await eventually(async () => (await call(this.#page, "received")).length >= expected);
    const received = await call(this.#page, "received");
    const failure = await call(this.#page, "consumerFailure");
    const isFine = received.join() === numbers(expected) && failure === null;
    this.#check(claim, isFine, { expected, received: received.length, failure });
  }

  async #sizeBytes(): Promise<number> {
    const folder = `${this.#options.dataDirectory}/${TOPIC}-0`;
    const logs = (await readdir(folder)).filter((name) => name.endsWith(".log"));
    const sizes = await Promise.all(logs.map((name) => stat(`${folder}/${name}`)));
    return sizes.reduce((sum, { size }) => sum + size, 0);
  }
}

function startBroker(
  options: ScenarioOptions,
  server: StaticServer,
  port = 0,
): Promise<BrokerProcess> {
  return BrokerProcess.start({
    dataDirectory: options.dataDirectory,
    port,
    arguments: ["--allow-origin", `http://${ownHost}:${server.port}`],
  });
}

export async function pageScenario(options: ScenarioOptions): Promise<void> {
  await (await PageScenario.open(options)).run();
}
