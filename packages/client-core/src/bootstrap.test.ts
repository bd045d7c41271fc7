import { describe, expect, it } from "vitest";
import { parseBootstrap, parseBrokerUrl } from "./bootstrap.js";

describe("parseBootstrap", () => {
  it.each([
    ["ws://127.0.0.1:9092", "ws://127.0.0.1:9092"],
    ["127.0.0.1:9092", "ws://127.0.0.1:9092"],
    [" localhost ", "ws://localhost:9092"],
    ["broker_1.internal:19092", "ws://broker_1.internal:19092"],
    ["WS://Example.COM:80/", "ws://example.com:80"],
    ["wss://example.com", "wss://example.com"],
    ["wss://example.com/millrace?zone=a", "wss://example.com/millrace?zone=a"],
    ["[::1]:9092", "ws://[::1]:9092"],
    ["ws://[fe80::1]:9092", "ws://[fe80::1]:9092"],
    ["ws://b\u00fccher.example:9092", "ws://b\u00fccher.example:9092"],
  ])("reads %s as %s", (address, url) => {
    expect(parseBootstrap(address)).toEqual([url]);
  });

  it("takes a list, or one text with commas, and drops duplicates", () => {
    expect(parseBootstrap("a:1, b:2,a:1")).toEqual(["ws://a:1", "ws://b:2"]);
    expect(parseBootstrap(["ws://a:1", "a:1"])).toEqual(["ws://a:1"]);
  });

  it.each([
    ["", "it is empty"],
    [",", "it is empty"],
    ["http://localhost:9092", "write ws:// instead of http://"],
    ["https://example.com", "write wss:// instead of https://"],
    ["PLAINTEXT://localhost:9092", "Apache Kafka's protocol"],
    ["sasl_ssl://localhost:9092", "Apache Kafka's protocol"],
    ["kafka://localhost:9092", "Apache Kafka's protocol"],
    ["tcp://localhost:9092", "write ws:// or wss://"],
    [":9092", "the host is missing"],
    ["ws://:9092", "the host is missing"],
    ["ws:///path", "the host is missing"],
    ["localhost:0", "the port must be"],
    ["localhost:65536", "the port must be"],
    ["localhost:", "the port must be"],
    ["localhost:kafka", "it is no host:port"],
    ["::1:9092", "it is no host:port"],
    ["::1", "takes brackets"],
    ["local host:9092", "write host:port"],
    ["localhost:9092/path", "write host:port"],
    ["ws://localhost:9092#top", "no #fragment"],
    ["ws://local\u001bhost", "it is no host:port"],
  ])("refuses %j and says why", (address, reason) => {
    expect(() => parseBootstrap(address)).toThrow(reason);
  });

  it("refuses an empty list and a very long one", () => {
    expect(() => parseBootstrap([])).toThrow("at least one");
    expect(() => parseBootstrap(Array.from({ length: 101 }, (_, n) => `h${n}`))).toThrow("at most");
  });

  it.each([
    "ws://user:secret@localhost:9092",
    "user:secret@localhost:9092",
    "http://user:secret@localhost:9092",
    "secret@localhost",
  ])("refuses credentials without repeating them", (address) => {
    expect(() => parseBrokerUrl(address)).toThrow("user name or password");
    expect(() => parseBrokerUrl(address)).not.toThrow("secret");
  });
});
