import { describe, expect, it } from "vitest";
import { clients } from "./clients.js";
import { parseOptions, UsageError } from "./options.js";
import { type PlanRequest, placeOf, plan } from "./plan.js";
import { workloads } from "./workloads.js";

const everything: PlanRequest = {
  clients,
  workloads,
  durabilities: undefined,
  runs: 3,
  wideRuns: 1,
  isDone: () => false,
};
const order = (run: number): string[] =>
  plan(everything)
    .filter((session) => session.run === run)
    .map(({ server, durability }) => `${server}/${durability}`);

describe("plan", () => {
  it("gives every server and durability one turn in each round, in an order that moves on", () => {
    expect(new Set(order(1)).size).toBe(order(1).length);
    expect(order(2).toSorted()).toEqual(order(1).toSorted());
    expect(order(2)).toEqual([...order(1).slice(1), order(1)[0]]);
    expect(order(1)).toContain("kafka/strict");
    expect(order(1)).not.toContain("rabbitmq/strict");
  });

  it("measures the wide group once and against defaults only", () => {
    for (const { durability, run, steps } of plan(everything)) {
      const isWide = steps.some(({ workload }) => workload.group === "wide");
      expect(isWide).toBe(run === 1 && (durability === "default" || durability === "sync"));
    }
  });

  it("leaves out of a strict peer's turn what says nothing new, but measures both promises of Millrace", () => {
    const names = (server: string, durability: string): string[] =>
      plan(everything)
        .filter((session) => session.server === server && session.durability === durability)
        .flatMap(({ steps }) => steps.map(({ workload }) => workload.name));
    expect(names("redis", "strict")).not.toContain("produce-10kib");
    expect(names("redis", "strict")).toContain("produce-1kib");
    expect(names("millrace", "os")).toContain("produce-10kib");
  });

  it("leaves out what a client cannot do", () => {
    const names = plan(everything)
      .flatMap(({ steps }) => steps)
      .filter(({ client }) => client.name === "kafkajs")
      .map(({ workload }) => workload.name);
    expect(names).toContain("compress-json-gzip");
    expect(names).not.toContain("compress-json-zstd");
  });

  it("goes on where it stopped", () => {
    const all = plan(everything);
    const done = new Set(
      all
        .slice(0, 4)
        .flatMap((session) => session.steps.map((step) => JSON.stringify(placeOf(session, step)))),
    );
    const rest = plan({ ...everything, isDone: (place) => done.has(JSON.stringify(place)) });
    expect(rest).toEqual(all.slice(4));
  });
});

describe("parseOptions", () => {
  it("takes groups and names of workloads", () => {
    const parse = (names: string): string[] =>
      parseOptions(["--all", "--workload", names], "x").workloads.map(({ name }) => name);
    expect(parse("idle,awaited")).toEqual(["awaited", "idle"]);
    expect(parse("wide")).toContain("connections-1000");
    expect(parse("wide")).not.toContain("idle");
  });

  it("refuses what it does not know, with the names it knows", () => {
    expect(() => parseOptions(["--peer", "pulsar"], "x")).toThrow(/no peer pulsar.*kafkajs/);
    expect(() => parseOptions(["--all", "--workload", "x"], "x")).toThrow(UsageError);
    expect(() => parseOptions([], "x")).toThrow("say --all, or --peer");
    expect(() => parseOptions(["--all", "--runs", "many"], "x")).toThrow("--runs");
    expect(() => parseOptions(["--all", "--quik"], "x")).toThrow(UsageError);
  });

  it("runs once when it is quick", () => {
    expect(parseOptions(["--all", "--quick"], "x")).toMatchObject({
      runs: 1,
      wideRuns: 0,
      file: "x",
    });
    expect(parseOptions(["--all"], "x")).toMatchObject({ runs: 3, wideRuns: 1 });
  });
});
