import { describe, expect, it } from "vitest";
import { allowedOriginProblem, isLoopbackHost, originProblem } from "./origin.js";

const policy = {
  ownHosts: ["broker.example.com", "0.0.0.0", "::", "fe80::1"],
  allowedOrigins: ["https://console.example.org", "http://tools.example.org:8080"],
};

const isAllowed = (origin: string | undefined): boolean =>
  originProblem(origin, policy) === undefined;

describe("the origin check", () => {
  it.each([
    undefined,
    "http://localhost",
    "http://localhost:5173",
    "https://localhost:5173",
    "http://127.0.0.1",
    "http://127.0.0.1:9092",
    "http://127.255.0.3:1",
    "http://[::1]",
    "http://[::1]:3000",
    "http://broker.example.com",
    "https://broker.example.com:8443",
    "http://[fe80::1]:80",
    "https://console.example.org",
    "https://console.example.org:443",
    "http://tools.example.org:8080",
  ])("lets in %s", (origin) => {
    expect(isAllowed(origin)).toBe(true);
  });

  it.each([
    // Opaque, empty and malformed.
    "null",
    "",
    " ",
    "undefined",
    "*",
    "localhost",
    "//localhost",
    "http:localhost",
    "http:/localhost",
    "http://",
    "http://:80",
    // Other schemes.
    "file://",
    "file://localhost",
    "ws://localhost",
    "chrome-extension://localhost",
    "javascript://localhost",
    "ftp://localhost",
    // Suffix and prefix tricks.
    "http://localhost.evil.com",
    "http://evil-localhost",
    "http://localhostevil.com",
    "http://evillocalhost",
    "http://127.0.0.1.evil.com",
    "http://127.0.0.1.nip.io",
    "http://evil.com/127.0.0.1",
    "http://broker.example.com.evil.com",
    "http://evilbroker.example.com",
    "http://x.broker.example.com",
    "https://console.example.org.evil.com",
    // User info, paths, queries, fragments, backslashes.
    "http://localhost@evil.com",
    "http://localhost:80@evil.com",
    "http://evil.com@localhost",
    "http://localhost/",
    "http://localhost/path",
    "http://localhost?x",
    "http://localhost#x",
    "http://evil.com#localhost",
    "http://localhost\\@evil.com",
    "http://evil.com\\localhost",
    // Trailing dots, case, white space, several origins.
    "http://localhost.",
    "http://127.0.0.1.",
    "http://broker.example.com.",
    "http://LOCALHOST",
    "HTTP://localhost",
    " http://localhost",
    "http://localhost ",
    "http://localhost\n",
    "http://localhost http://evil.com",
    "http://evil.com http://localhost",
    "http://localhost,http://evil.com",
    // Look-alikes: other spellings of addresses, unicode, escapes.
    "http://127.0.0.256",
    "http://127.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://128.0.0.1",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::ffff:127.0.0.1]",
    "http://[::1].evil.com",
    "http://[::1",
    "http://::1",
    "http://[0:0:0:0:0:0:0:1]evil",
    "http://lоcalhost",
    "http://loc%61lhost",
    "http://localhost%00.evil.com",
    "http://xn--lcalhost-55a",
    // Ports.
    "http://localhost:",
    "http://localhost:0",
    "http://localhost:080",
    "http://localhost:65536",
    "http://localhost:99999",
    "http://localhost:-1",
    "http://localhost:80:80",
    "http://localhost:80a",
    // On the list with another scheme or port.
    "http://console.example.org",
    "https://console.example.org:444",
    "http://tools.example.org",
    "https://tools.example.org:8080",
    "http://evil.com",
    "https://evil.com",
  ])("refuses %j", (origin) => {
    expect(isAllowed(origin)).toBe(false);
  });

  it("refuses every page but loopback's when nothing is configured", () => {
    const bare = { ownHosts: ["127.0.0.1"], allowedOrigins: [] };
    expect(originProblem("http://broker.example.com", bare)).toContain("may not connect");
    expect(originProblem("http://localhost:80", bare)).toBeUndefined();
  });

  it("knows loopback hosts exactly", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"].every(isLoopbackHost)).toBe(
      true,
    );
    expect(
      ["0.0.0.0", "127.0.0", "127.0.0.1.1", "127.0.0.1x", "126.0.0.1", "host", ""].some(
        isLoopbackHost,
      ),
    ).toBe(false);
  });

  it("checks entries of the allow-list", () => {
    expect(allowedOriginProblem("https://Console.example.com")).toBeUndefined();
    for (const entry of ["*", "console.example.com", "https://*.example.com", "https://a/b"]) {
      expect(allowedOriginProblem(entry)).toContain("expected scheme://host");
    }
  });
});
