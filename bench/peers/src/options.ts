// The command line: what to measure, how often, and where the results go. Pure.

import { parseArgs } from "node:util";
import { type Client, clients } from "./clients.js";
import { type Workload, workloads } from "./workloads.js";

/** How long each part of a job takes, in seconds. */
export interface Profile {
  readonly warmUp: number;
  readonly load: number;
  readonly latency: number;
  readonly idle: number;
  readonly baseline: number;
}

export const profiles = {
  quick: { warmUp: 0.4, load: 0.7, latency: 0.8, idle: 1.5, baseline: 0.3 },
  standard: { warmUp: 0.6, load: 1.2, latency: 1.5, idle: 3, baseline: 1 },
} as const satisfies Record<string, Profile>;

export interface Options {
  readonly clients: readonly Client[];
  readonly workloads: readonly Workload[];
  /** Undefined: all that each server has. */
  readonly durabilities: readonly string[] | undefined;
  readonly runs: number;
  /** Workloads of the wide group are measured in this many of the runs. */
  readonly wideRuns: number;
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
  --runs N             rounds in which all take turns; default 3, with --quick 1
  --wide-runs N        of those, how many measure the wide group too; default 1, with --quick 0
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

function count(text: string | undefined, fallback: number, name: string): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 100) {
    throw new UsageError(`${name}: expected a whole number up to 100, got ${text}`);
  }
  return value;
}

/** @throws UsageError */
export function parseOptions(parameters: readonly string[], defaultFile: string): Options {
  const values = parse(parameters);
  const profileName = values.quick ? "quick" : "standard";
  const durabilities = split(values.durability);
  return {
    clients: chooseClients(values.all, split(values.peer)),
    workloads: chooseWorkloads(split(values.workload)),
    durabilities: durabilities.length === 0 ? undefined : durabilities,
    runs: Math.max(1, count(values.runs, values.quick ? 1 : 3, "--runs")),
    wideRuns: count(values["wide-runs"], values.quick ? 0 : 1, "--wide-runs"),
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
