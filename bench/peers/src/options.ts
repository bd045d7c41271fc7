// The command line: what to measure, how often, and where the results go. Pure.

import { parseArgs } from "node:util";
import { type Client, clients } from "./clients.js";
import { type Workload, workloads } from "./workloads.js";

/** How long each part of a job takes, in seconds. */
export interface Profile {
  /** Before loads in batches. */
  readonly warmUp: number;
  /** Before single records and latencies, client and server: code that runs seldom takes longer to be compiled. */
  readonly warmUpSingle: number;
  readonly load: number;
  readonly latency: number;
  readonly idle: number;
  readonly baseline: number;
}

export const profiles = {
  quick: { warmUp: 0.4, warmUpSingle: 0.4, load: 0.7, latency: 0.8, idle: 1.5, baseline: 0.3 },
  standard: { warmUp: 0.6, warmUpSingle: 2.5, load: 1.2, latency: 1.5, idle: 5, baseline: 1 },
} as const satisfies Record<string, Profile>;

export interface Options {
  readonly clients: readonly Client[];
  readonly workloads: readonly Workload[];
  /** Undefined: all that each server has. */
  readonly durabilities: readonly string[] | undefined;
  readonly runs: number;
  /** Rounds of the wide group, after those of the core. */
  readonly wideRuns: number;
  /** Nothing is begun that would not end within so many minutes; undefined: everything is. */
  readonly minutes: number | undefined;
  /** Only say what would be measured, and how long it would take. */
  readonly isPlanOnly: boolean;
  readonly profile: Profile;
  readonly profileName: keyof typeof profiles;
  readonly file: string;
  /** Measure again what the file has. */
  readonly again: boolean;
  /** Where the data directories are made. */
  readonly dataDirectory: string | undefined;
}

export const usage = `npm run bench:peers -- --all [options]
npm run bench:peers -- --peer millrace,kafka-java [options]

Measures Millrace and its peers with the same workloads, each server in a process of its own.

  --all                every client: ${clients.map(({ name }) => name).join(", ")}
  --peer NAMES         some of them, comma-separated
  --workload NAMES     some workloads, or the groups core and wide; default: all
  --durability NAMES   of sync, os (Millrace), default, strict (the others); default: all
  --runs N             rounds of the core in which all take turns; default 3, with --quick 1
  --wide-runs N        rounds of the wide group after them; default as --runs, with --quick 0 unless it is asked for
  --minutes N          begin nothing that would not end within so many minutes
  --plan               only print what would be measured, turn by turn, and how long it takes
  --quick              short stretches, one round: to see that it works
  --json FILE          where results are kept; what is there is not measured again
  --again              measure it again
  --data-dir DIR       where the servers' data goes (a new folder in it, removed afterwards); default: the
                       temporary folder of the system
  --list               names of peers and workloads
  --report             only write docs/benchmarks.md from the results
`;

/** What was typed is not acceptable. */
export class UsageError extends Error {
  override name = "UsageError";
}

const split = (text: string | undefined): string[] =>
  (text ?? "").split(",").filter((name) => name !== "");

function chooseClients(all: boolean, names: readonly string[]): readonly Client[] {
  if (all === names.length > 0) {
    throw new UsageError("say --all, or --peer with names");
  }
  return all
    ? clients
    : names.map((name) => {
        const found = clients.find((client) => client.name === name);
        if (found === undefined) {
          throw new UsageError(
            `no peer ${name}; there are ${clients.map((client) => client.name).join(", ")}`,
          );
        }
        return found;
      });
}

function chooseWorkloads(names: readonly string[]): readonly Workload[] {
  for (const name of names) {
    if (!workloads.some((workload) => workload.name === name || workload.group === name)) {
      throw new UsageError(
        `no workload ${name}; there are ${workloads.map((workload) => workload.name).join(", ")}`,
      );
    }
  }
  return names.length === 0
    ? workloads
    : workloads.filter(({ name, group }) => names.includes(name) || names.includes(group));
}

const COUNT_MAX = 1_000;

function count(text: string | undefined, fallback: number, name: string): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > COUNT_MAX) {
    throw new UsageError(`${name}: expected a whole number up to ${COUNT_MAX}, got ${text}`);
  }
  return value;
}

/** @throws UsageError */
export function parseOptions(parameters: readonly string[], defaultFile: string): Options {
  const values = parse(parameters);
  const profileName = values.quick ? "quick" : "standard";
  const durabilities = split(values.durability);
  const runs = Math.max(1, count(values.runs, values.quick ? 1 : 3, "--runs"));
  const chosen = chooseWorkloads(split(values.workload));
  // Somebody who names workloads means them.
  const wideFallback = values.quick && values.workload === undefined ? 0 : runs;
  return {
    clients: chooseClients(values.all, split(values.peer)),
    workloads: chosen,
    durabilities: durabilities.length === 0 ? undefined : durabilities,
    runs,
    wideRuns: count(values["wide-runs"], wideFallback, "--wide-runs"),
    minutes: values.minutes === undefined ? undefined : count(values.minutes, 0, "--minutes"),
    isPlanOnly: values.plan,
    profile: profiles[profileName],
    profileName,
    file: values.json ?? defaultFile,
    again: values.again,
    dataDirectory: values["data-dir"],
  };
}

function parse(parameters: readonly string[]) {
  try {
    return parseArgs({
      args: [...parameters],
      options: {
        all: { type: "boolean", default: false },
        peer: { type: "string" },
        workload: { type: "string" },
        durability: { type: "string" },
        runs: { type: "string" },
        "wide-runs": { type: "string" },
        minutes: { type: "string" },
        plan: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        again: { type: "boolean", default: false },
        "data-dir": { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
