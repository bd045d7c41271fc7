import { describe, expect, it } from "vitest";
import { Examination, Unhealthy } from "./check.js";
import { judgeAnswer } from "./http-verdict.js";
import { classifyAnswer, parseAddresses } from "./network-steps.js";

const health = {
  status: "running",
  version: "1.2.3",
  clusterId: "c",
  nodeId: 4,
  quarantined: [],
  uncleanable: ["t-0"],
};
const http = (status: number, body: string): Buffer =>
  Buffer.from(`HTTP/1.1 ${status} X\r\nDate: Thu, 01 Jan 1970 00:00:10 GMT\r\n\r\n${body}`);
const judge = (bytes: Buffer, isOver = true) => judgeAnswer(classifyAnswer(bytes, isOver));

describe("who listens on a port", () => {
  it("is a Millrace broker when its health says so", () => {
    const older = { ...health, upkeep: undefined, dateMs: 10_000 };
    expect(judge(http(200, JSON.stringify(health)))).toEqual(older);
  });

  it("tells what it did for its logs, when it says so", () => {
    const more = { cleaner: { passes: 3 }, scrub: { passes: 1, verifiedBytes: 900, damages: 2 } };
    expect(judge(http(200, JSON.stringify({ ...health, ...more }))).upkeep).toEqual({
      cleanings: 3,
      scrubbedBytes: 900,
      damages: 2,
    });
  });

  it.each([
    [
      "a broker that starts",
      http(503, JSON.stringify({ ...health, status: "starting" })),
      /is starting/,
    ],
    ["another web server", http(404, "<html>"), /no Millrace broker/],
    ["another JSON service", http(200, '{"status":"running"}'), /no Millrace broker/],
    ["a TLS port that sends an alert", Buffer.from([0x15, 3, 1, 0, 2, 2, 70]), /TLS/],
    [
      "a TLS port of a web server",
      http(400, "The plain HTTP request was sent to HTTPS port"),
      /TLS/,
    ],
    ["something of its own", Buffer.from("SSH-2.0-OpenSSH_9.6\r\n"), /SSH-2\.0/],
    ["Kafka, which closes", Buffer.alloc(0), /Apache Kafka/],
  ])("is %s", (_, bytes, message) => {
    expect(() => judge(bytes)).toThrow(message);
  });

  it("is unknown when nothing comes", () => {
    expect(() => judge(Buffer.alloc(0), false)).toThrow(/does not answer/);
  });
});

describe("addresses", () => {
  it("are taken apart, IPv6 and default ports included", () => {
    expect(parseAddresses("[::1]:7,wss://h.example")).toMatchObject([
      { host: "::1", port: 7, isSecure: false },
      { host: "h.example", port: 443, isSecure: true },
    ]);
  });

  it("say what is wrong with them and what to write", () => {
    expect(() => parseAddresses("http://h:1")).toThrow(Unhealthy);
  });
});

describe("an examination", () => {
  it("ends at the first failure, and names what it did not try", async () => {
    const examination = new Examination(() => {});
    await examination.step("a", async () => ({ found: 1, message: "fine", warning: "but" }));
    await examination.step("b", () => Promise.reject(new Unhealthy("broken", "mend it")));
    expect(await examination.step("c", async () => ({ found: 1, message: "" }))).toBeUndefined();
    expect(examination.checks).toMatchObject([
      { step: "a", verdict: "warning", next: "but" },
      { step: "b", verdict: "failed", message: "broken", next: "mend it" },
      { step: "c", verdict: "skipped" },
    ]);
  });

  it("does not take a defect for a diagnosis", async () => {
    const examination = new Examination(() => {});
    const step = examination.step("a", () => Promise.reject(new TypeError("x is undefined")));
    await expect(step).rejects.toThrow(TypeError);
  });
});
