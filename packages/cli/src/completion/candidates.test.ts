import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { exitCodes } from "../exit-codes.js";
import { createProgram } from "../program.js";
import { Terminal } from "../terminal.js";
import { findCandidates } from "./candidates.js";

const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
const program = await createProgram({
  terminal: new Terminal(streams, {}),
  env: {},
  defaults: {},
  signal: new AbortController().signal,
  exitCode: exitCodes.OK,
});

async function complete(...words: string[]): Promise<string[]> {
  const asked: (string | undefined)[] = [];
  const sources = {
    topics: (bootstrap: string | undefined) => {
      asked.push(bootstrap);
      return Promise.resolve(["orders", "payments"]);
    },
    profiles: () => ["home"],
  };
  const candidates = await findCandidates(program, words, sources);
  return [
    ...candidates.map(({ word }) => word),
    ...asked.flatMap((url) => (url ? [`@${url}`] : [])),
  ];
}

describe("what may follow", () => {
  it("are commands, without those for programs", async () => {
    expect(await complete("com")).toEqual(["completion"]);
    expect(await complete("topics", "de")).toEqual(["describe", "delete"]);
    expect(await complete("topics", "nope")).toEqual([]);
  });

  it("are options, and values of those that have a choice", async () => {
    expect(await complete("consume", "orders", "--fo")).toEqual(["--format"]);
    expect(await complete("consume", "orders", "--out-per", "")).toEqual(["partition", "record"]);
    expect(await complete("topics", "list", "--profile", "")).toEqual(["home"]);
  });

  it("are topics where a topic stands, from the broker that the line names", async () => {
    expect(await complete("consume", "pa")).toEqual(["payments"]);
    expect(await complete("topics", "delete", "orders", "")).toEqual(["payments"]);
    expect(await complete("consume", "-b", "ws://x:1", "o")).toEqual(["orders", "@ws://x:1"]);
    expect(await complete("bench", "produce", "--topic", "")).toEqual(["orders", "payments"]);
    expect(await complete("topics", "create", "")).toEqual([]);
    expect(await complete("consume", "orders", "")).toEqual([]);
  });

  it("is nothing behind an option's value that cannot be known", async () => {
    expect(await complete("consume", "orders", "--max", "")).toEqual([]);
  });
});
