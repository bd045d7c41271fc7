import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { RawClient, upgradeRequest } from "./raw-client.js";
import { Scene } from "./scene.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
const offer = { subProtocol: "millrace.v1" };
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  broker = await scene.broker({ arguments: ["--allow-origin", "https://console.example.com"] });
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

async function statusFor(
  origin: string | undefined,
  port = broker.port,
): Promise<{ status: number; text: string }> {
  const client = await RawClient.knock(port, { ...offer, origin });
  client.destroy();
  return { status: client.status, text: client.httpText };
}

describe("the Origin of a web page, on a real socket", () => {
  it.each([
    "null",
    "",
    "https://evil.example",
    "http://evil.example:9092",
    "https://console.example.com.evil.example",
    "https://evil-console.example.com",
    "https://sub.console.example.com",
    "https://console.example.com:8443",
    "http://console.example.com",
    "https://console.example.com@evil.example",
    "https://console.example.com/",
    "https://console\u00b7example.com",
    "http://localhost.evil.example",
    "http://evil.example#localhost",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1.nip.io:9092",
    "http://0.0.0.0:9092",
    "http://2130706433",
    "http://0x7f.1",
    "http://[::ffff:127.0.0.1]",
    "http://xn--lcalhost-7fg.com",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "http://localhost, https://evil.example",
    "https://evil.example http://localhost",
  ])("is refused with 403 and a reason: %j", async (origin) => {
    await witness.during(async () => {
      const { status, text } = await statusFor(origin);
      expect(status).toBe(403);
      expect(text).toMatch(/may not connect|opaque or malformed/);
      expect(text).not.toContain("Sec-WebSocket-Accept");
    });
  });

  it.each([
    undefined,
    "http://localhost",
    "http://localhost:5173",
    "https://localhost:8443",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
    "https://console.example.com",
    "https://console.example.com:443",
  ])("is let in: %j", async (origin) => {
    expect((await statusFor(origin)).status).toBe(101);
  });

  it("is refused when the header stands twice, the first of them another origin", async () => {
    const client = await RawClient.tcp(broker.port);
    const request = upgradeRequest(broker.port, { ...offer, origin: "https://evil.example" });
    client.write(request.replace(/\r\n\r\n$/, "\r\nOrigin: http://localhost\r\n\r\n"));
    await client.ended();
    expect(client.status).toBe(403);
  });

  it("does not gain by a Host header that names the attacker (DNS rebinding)", async () => {
    const client = await RawClient.tcp(broker.port);
    const origin = `http://evil.example:${broker.port}`;
    const request = upgradeRequest(broker.port, { ...offer, origin });
    client.write(request.replace("Host: 127.0.0.1", "Host: evil.example"));
    await client.ended();
    expect(client.status).toBe(403);
  });

  it("is in the log when it is refused, escaped", () => {
    expect(broker.log).toContain("a web page was refused");
    expect(broker.log).toContain("https://evil.example");
  });

  it("gets no answer that a page could read: no CORS header on /health", async () => {
    const response = await fetch(`http://127.0.0.1:${broker.port}/health`, {
      headers: { origin: "https://evil.example" },
    });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("a broker that is advertised under a name of its own", () => {
  it("lets pages of that host in, and not those that only look like it", async () => {
    const named = await scene.broker({
      dataDirectory: scene.folder("named"),
      arguments: ["--advertise", "ws://mill.example.org:9092"],
    });
    // What it advertises leads nowhere here; where it listens is in what it said at the start.
    const port = Number(named.listening["port"]);
    expect((await statusFor("http://mill.example.org:8080", port)).status).toBe(101);
    for (const origin of ["http://mill.example.org.evil.example", "http://xmill.example.org"]) {
      expect((await statusFor(origin, port)).status).toBe(403);
    }
  });
});

describe("an entry of the allow-list that is no origin", () => {
  it.each(["*", "https://*.example.com", "console.example.com", "null"])(
    "keeps the broker from starting, with exit code 64: %s",
    async (entry) => {
      const { code, output } = await scene.failedStart({ arguments: ["--allow-origin", entry] });
      expect(code).toBe(64);
      expect(output).toContain("expected scheme://host[:port]");
    },
  );
});
