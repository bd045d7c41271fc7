// Every command by its path, with the line that lists it, and how to load it. A command line loads the one command it
// names: `topics list` does not wait for a server, a histogram or a log reader to be read from disk.

import type { Command } from "commander";
import type { CommandContext } from "./context.js";

export interface CatalogueEntry {
  /** One word, or group and word. */
  readonly path: readonly [string] | readonly [string, string];
  readonly summary: string;
  /** In no list: for programs. */
  readonly isHidden?: boolean;
  load(): Promise<(context: CommandContext) => Command>;
}

export const groups: Readonly<Record<string, string>> = {
  topics: "create, list, describe, change and delete topics",
  cluster: "see the cluster as a whole",
  log: "inspect and repair a data directory's files",
  bench: "measure a broker",
  profile: "named defaults, so that a broker need not be named each time",
};

export const catalogue: readonly CatalogueEntry[] = [
  {
    path: ["start"],
    summary: "run a broker until Ctrl-C",
    load: async () => (await import("./commands/start.js")).startCommand,
  },
  {
    path: ["topics", "create"],
    summary: "create topics",
    load: async () => (await import("./commands/topics-create.js")).topicsCreateCommand,
  },
  {
    path: ["topics", "list"],
    summary: "list topics",
    load: async () => (await import("./commands/topics-list.js")).topicsListCommand,
  },
  {
    path: ["topics", "describe"],
    summary: "show topics with their partitions, offsets and sizes",
    load: async () => (await import("./commands/topics-describe.js")).topicsDescribeCommand,
  },
  {
    path: ["topics", "alter"],
    summary: "change a topic's configuration; what is not named stays",
    load: async () => (await import("./commands/topics-alter.js")).topicsAlterCommand,
  },
  {
    path: ["topics", "add-partitions"],
    summary: "give a topic more partitions; keyed records may go elsewhere from then on",
    load: async () =>
      (await import("./commands/topics-add-partitions.js")).topicsAddPartitionsCommand,
  },
  {
    path: ["topics", "trim"],
    summary: "delete a partition's oldest records, for good",
    load: async () => (await import("./commands/topics-trim.js")).topicsTrimCommand,
  },
  {
    path: ["topics", "delete"],
    summary: "delete topics and all their records, for good",
    load: async () => (await import("./commands/topics-delete.js")).topicsDeleteCommand,
  },
  {
    path: ["produce"],
    summary: "send a record for each line of standard input, a file, or what you type",
    load: async () => (await import("./commands/produce.js")).produceCommand,
  },
  {
    path: ["consume"],
    summary: "print records as they arrive",
    load: async () => (await import("./commands/consume.js")).consumeCommand,
  },
  {
    path: ["cluster", "describe"],
    summary: "show the cluster's id, brokers and controller",
    load: async () => (await import("./commands/cluster-describe.js")).clusterDescribeCommand,
  },
  {
    path: ["log", "dump"],
    summary: "show what is in a segment, index, snapshot or commit journal file",
    load: async () => (await import("./commands/log-dump.js")).logDumpCommand,
  },
  {
    path: ["log", "verify"],
    summary: "check every batch, index and snapshot of a data directory; exit code 1 when damaged",
    load: async () => (await import("./commands/log-verify.js")).logVerifyCommand,
  },
  {
    path: ["log", "repair"],
    summary: "set damaged ranges aside, so that the partition serves again; offsets stay",
    load: async () => (await import("./commands/log-repair.js")).logRepairCommand,
  },
  {
    path: ["bench", "produce"],
    summary: "produce as fast as the broker takes it, beside what its disk can do",
    load: async () => (await import("./commands/bench-produce.js")).benchProduceCommand,
  },
  {
    path: ["bench", "consume"],
    summary: "read a topic from its beginning as fast as it comes",
    load: async () => (await import("./commands/bench-consume.js")).benchConsumeCommand,
  },
  {
    path: ["bench", "latency"],
    summary: "measure produce-to-consume latency at a steady rate, open loop",
    load: async () => (await import("./commands/bench-latency.js")).benchLatencyCommand,
  },
  {
    path: ["doctor"],
    summary: "find out, step by step, why a broker cannot be reached",
    load: async () => (await import("./commands/doctor.js")).doctorCommand,
  },
  {
    path: ["profile", "list"],
    summary: "list profiles",
    load: async () => (await import("./commands/profile.js")).profileListCommand,
  },
  {
    path: ["profile", "show"],
    summary: "show what a profile says",
    load: async () => (await import("./commands/profile.js")).profileShowCommand,
  },
  {
    path: ["profile", "set"],
    summary: "create a profile or change its values; an empty value removes one",
    load: async () => (await import("./commands/profile.js")).profileSetCommand,
  },
  {
    path: ["profile", "use"],
    summary: "take defaults from this profile from now on",
    load: async () => (await import("./commands/profile.js")).profileUseCommand,
  },
  {
    path: ["profile", "delete"],
    summary: "delete a profile",
    load: async () => (await import("./commands/profile.js")).profileDeleteCommand,
  },
  {
    path: ["completion"],
    summary: "print the script that completes commands in bash, zsh or fish",
    load: async () => (await import("./commands/completion.js")).completionCommand,
  },
  {
    path: ["complete"],
    summary: "the words that may follow; what the completion scripts call",
    isHidden: true,
    load: async () => (await import("./commands/completion.js")).completeCommand,
  },
];

/** The words of a command line that can name a command: those before the first option. */
export function commandWords(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith("-"));
  const words = end < 0 ? argv : argv.slice(0, end);
  return words[0] === "help" ? words.slice(1) : words;
}

/** The entry a command line names. */
export function findEntry(argv: readonly string[]): CatalogueEntry | undefined {
  const words = commandWords(argv);
  return catalogue.find(({ path }) => path.every((word, index) => word === words[index]));
}
