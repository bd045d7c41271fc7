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
  wideRuns: 2,
  isDone: () => false,
};
const order = (run: number): string[] =>
  plan(everything)
    .filter((session) => session.run === run && session.group === "core")
    .map(({ server, durability }) => `${server}/${durability}`);

describe("plan", () => {
  it("gives every server and durability one turn in each round, in an order that moves on", () => {
    expect(new Set(order(1)).size).toBe(order(1).length);
    expect(order(2).toSorted()).toEqual(order(1).toSorted());
    expect(order(2)).toEqual([...order(1).slice(1), order(1)[0]]);
    expect(order(1)).toContain("kafka/strict");
    expect(order(1)).not.toContain("rabbitmq/strict");
  });

  it("measures all rounds of the core first, then those of the wide group", () => {
    const turns = plan(everything).map(({ group, run }) => `${group} ${run}`);
    expect([...new Set(turns)]).toEqual(["core 1", "core 2", "core 3", "wide 1", "wide 2"]);
    for (const { group, steps } of plan(everything)) {
      expect(new Set(steps.map(({ workload }) => workload.group))).toEqual(new Set([group]));
    }
  });

  it("measures the wide group against defaults, and connections of Millrace without the sync too", () => {
    for (const { durability, steps } of plan(everything).filter(({ group }) => group === "wide")) {
      if (durability === "os") {
        expect(new Set(steps.map(({ workload }) => workload.kind))).toEqual(
          new Set(["connections"]),
        );
      } else {
        expect(["default", "sync"]).toContain(durability);
      }
    }
  });

  it("measures every core workload at each setting", () => {
    const names = (server: string, durability: string): Set<string> =>
      new Set(
        plan(everything)
          .filter((session) => session.group === "core" && session.server === server)
          .filter((session) => session.durability === durability)
          .flatMap(({ steps }) => steps.map(({ workload }) => workload.name)),
      );
    expect(names("redis", "strict")).toEqual(names("redis", "default"));
    expect(names("kafka", "strict")).toEqual(names("kafka", "default"));
    expect(
      [...names("millrace", "sync")].filter((name) => !names("millrace", "os").has(name)),
    ).toEqual(["beside-disk"]);
  });

  it("makes a thousand partitions in one round only", () => {
    const runs = plan(everything)
      .filter(({ steps }) => steps.some(({ workload }) => workload.name === "partitions-1000"))
      .map(({ run }) => run);
    expect(new Set(runs)).toEqual(new Set([1]));
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
    expect(parseOptions(["--all"], "x")).toMatchObject({ runs: 3, wideRuns: 3 });
  });

  it("measures workloads of the wide group that are asked for, however quick it is", () => {
    expect(parseOptions(["--all", "--quick", "--workload", "partitions-10"], "x")).toMatchObject({
      wideRuns: 1,
    });
  });
});
