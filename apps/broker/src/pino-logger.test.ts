import { loggerContract } from "@millrace/runtime/contract";
import { describe, expect, it } from "vitest";
import { createPinoLogger } from "./pino-logger.js";
import { plainFields } from "./plain-fields.js";

function subject(format: "json" | "text") {
  const lines: string[] = [];
  const logger = createPinoLogger({ level: "trace", format, write: (line) => lines.push(line) });
  return { logger, lines: () => lines };
}

for (const format of ["json", "text"] as const) {
  describe(`pino as ${format}`, () => {
    loggerContract({ describe, it, expect }, { create: () => subject(format) });
  });
}

describe("pino as json", () => {
  it("writes level, time, message and fields by name", () => {
    const { logger, lines } = subject("json");
    logger.child({ component: "broker" }).warn({ topic: "t" }, "hello");
    expect(JSON.parse(lines()[0] ?? "")).toMatchObject({
      level: "warn",
      component: "broker",
      topic: "t",
      msg: "hello",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });

  it("says nothing below its level", () => {
    const lines: string[] = [];
    const logger = createPinoLogger({
      level: "error",
      format: "json",
      write: (l) => lines.push(l),
    });
    logger.warn({}, "no");
    logger.error({}, "yes");
    expect(lines).toHaveLength(1);
  });
});

describe("plain fields", () => {
  it("never hold bytes", () => {
    expect(plainFields({ records: new Uint8Array([1, 2, 3]) })).toEqual({ records: "3 bytes" });
  });

  it("keep an error's code and cause", () => {
    const error = Object.assign(new Error("a\nb", { cause: new Error("c") }), { code: "X" });
    expect(plainFields({ error })).toMatchObject({
      error: { name: "Error", message: "a\\u000ab", code: "X", cause: { message: "c" } },
    });
  });

  it("end at a bounded depth and size", () => {
    const cycle: Record<string, unknown> = { list: Array.from({ length: 1000 }, () => 1) };
    cycle["self"] = cycle;
    expect(JSON.stringify(plainFields(cycle)).length).toBeLessThan(5000);
  });
});
