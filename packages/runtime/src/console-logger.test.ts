import { describe, expect, it } from "vitest";
import { createConsoleLogger } from "./console-logger.js";
import type { LogLevel } from "./logger.js";

function setUp(options: { level?: LogLevel; format?: "json" | "text" }) {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { lines, logger: createConsoleLogger({ ...options, write, nowMs: () => 0 }) };
}

describe("createConsoleLogger", () => {
  it("writes the asked level and worse, info unless told", () => {
    const { lines, logger } = setUp({});
    logger.debug({}, "no");
    logger.info({}, "yes");
    logger.fatal({}, "yes");
    expect(lines.length).toBe(2);
  });

  it("writes JSON whose own keys no field can replace", () => {
    const { lines, logger } = setUp({ format: "json" });
    logger.warn({ level: "info", message: "fake", offset: 5, big: 2n ** 60n }, "real");
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      time: "1970-01-01T00:00:00.000Z",
      level: "warn",
      message: "real",
      offset: 5,
      big: "1152921504606846976",
    });
  });

  it("writes text for people, quoted where needed", () => {
    const { lines, logger } = setUp({ format: "text" });
    logger.info({ topic: "orders", client: 'a "b"', count: 3 }, "created");
    expect(lines).toEqual([
      '1970-01-01T00:00:00.000Z INFO  created topic=orders client="a \\"b\\"" count=3',
    ]);
  });

  it("escapes what could turn a terminal's text around", () => {
    const { lines, logger } = setUp({ format: "json" });
    logger.info({ name: "a\u202eb\u009bc" }, "x");
    expect(lines[0]).toContain("a\\u202eb\\u009bc");
  });

  it("shows errors with code and cause, and bytes by their number only", () => {
    const { lines, logger } = setUp({ format: "json" });
    const error = Object.assign(new Error("outer", { cause: new Error("inner") }), { code: "E1" });
    logger.error({ error, value: new Uint8Array(9) }, "x");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      error: { name: "Error", message: "outer", code: "E1", cause: { message: "inner" } },
      value: "[9 bytes]",
    });
  });
});
