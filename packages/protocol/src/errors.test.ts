import { describe, expect, it } from "vitest";
import {
  clientErrors,
  errorCode,
  errorName,
  isMillraceError,
  MillraceError,
  ProtocolError,
  type WireErrorName,
  wireErrors,
} from "./errors.js";
import { readVectors } from "./test-support/fixtures.js";

// Name and code of every error in Kafka 3.9's Errors enum.
const kafkaErrors = readVectors<Readonly<Record<string, number>>>("kafka-errors.json");
const names = Object.keys(wireErrors) as WireErrorName[];

describe("wire errors", () => {
  it.each(names)("%s has Kafka's code, or one of Millrace's own from 1000", (name) => {
    const code = errorCode(name);
    expect(code >= 1000 ? undefined : code).toBe(kafkaErrors[name]);
    expect(errorName(code)).toBe(name);
  });

  it("have a sentence each", () => {
    for (const { summary } of [...Object.values(wireErrors), ...Object.values(clientErrors)]) {
      expect(summary).toMatch(/^[A-Zak].*[a-zA-Z.]$/);
    }
  });

  it("unknown codes read as UNKNOWN_SERVER_ERROR, which is not retriable", () => {
    expect(errorName(31_999)).toBe("UNKNOWN_SERVER_ERROR");
    expect(wireErrors.UNKNOWN_SERVER_ERROR.retriable).toBe(false);
  });

  it("ask for fresh metadata only where a retry or a new lookup can help", () => {
    for (const name of names.filter((each) => wireErrors[each].refreshMetadata)) {
      expect(wireErrors[name].retriable || name === "UNKNOWN_TOPIC_ID").toBe(true);
    }
  });
});

describe("MillraceError", () => {
  it("takes its flags from the table, unless told otherwise", () => {
    const error = new MillraceError("NOT_LEADER_OR_FOLLOWER");
    expect(error).toMatchObject({ retriable: true, fatal: false, refreshMetadata: true });
    expect(error.message).toBe(
      `NOT_LEADER_OR_FOLLOWER: ${wireErrors.NOT_LEADER_OR_FOLLOWER.summary}`,
    );
    expect(new MillraceError("CLOSED")).toMatchObject({ retriable: false, fatal: true });
    expect(new MillraceError("CLOSED", "x", { fatal: false, retriable: true })).toMatchObject({
      retriable: true,
      fatal: false,
    });
  });

  it("keeps cause and details", () => {
    const cause = new Error("deeper");
    const error = new ProtocolError("CORRUPT_MESSAGE", "at 7", { cause, details: { offset: 7 } });
    expect(error).toMatchObject({ name: "ProtocolError", cause, details: { offset: 7 } });
    expect(error).toBeInstanceOf(MillraceError);
  });

  it("is recognised by its brand, not by its class", () => {
    const foreign = { [Symbol.for("millrace.error")]: true };
    expect(isMillraceError(foreign)).toBe(true);
    expect([null, undefined, "x", new Error("x"), {}].some(isMillraceError)).toBe(false);
  });
});
