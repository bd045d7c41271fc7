import { type ErrorName, MillraceError } from "@millrace/protocol";
import { describe, expect, it } from "vitest";
import { CliError, describeError } from "./cli-error.js";
import { exitCodes } from "./exit-codes.js";

const exitCodeOf = (code: ErrorName): number => describeError(new MillraceError(code)).exitCode;

describe("errors for people", () => {
  it("says how to get a broker when none can be reached", () => {
    const described = describeError(new MillraceError("CONNECTION_FAILED", "refused by 127.0.0.1"));
    expect(described).toMatchObject({
      code: "CONNECTION_FAILED",
      message: "refused by 127.0.0.1",
      exitCode: exitCodes.UNREACHABLE,
    });
    expect(described.hint).toContain("millrace start");
  });

  it("tells refusals, passing troubles and mistakes apart by exit code", () => {
    expect(exitCodeOf("TOPIC_ALREADY_EXISTS")).toBe(exitCodes.FAILURE);
    expect(exitCodeOf("REQUEST_TIMED_OUT")).toBe(exitCodes.TEMPORARY);
    expect(exitCodeOf("INVALID_ARGUMENT")).toBe(exitCodes.USAGE);
    expect(exitCodeOf("ABORTED")).toBe(exitCodes.INTERRUPTED);
  });

  it("reads system errors by their code", () => {
    const missing = Object.assign(new Error("ENOENT: no such file, open 'x'"), { code: "ENOENT" });
    expect(describeError(missing)).toMatchObject({ code: "ENOENT", exitCode: exitCodes.NO_INPUT });
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    expect(describeError(taken).exitCode).toBe(exitCodes.CANNOT_WRITE);
  });

  it("escapes control characters in messages that come from outside", () => {
    expect(describeError(new Error("bad \u001b[31mname")).message).toBe("bad \\u001b[31mname");
  });

  it("takes anything that is thrown", () => {
    expect(describeError("nonsense")).toMatchObject({ code: "UNEXPECTED", message: "nonsense" });
    expect(describeError(undefined).exitCode).toBe(exitCodes.FAILURE);
    const own = new CliError("no", { exitCode: exitCodes.DATA, hint: "do this" });
    expect(describeError(own)).toEqual({
      code: "CLI",
      message: "no",
      hint: "do this",
      exitCode: exitCodes.DATA,
    });
  });
});
