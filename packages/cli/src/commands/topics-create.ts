// `millrace topics create NAME...`

import { Admin, type CreatedTopic, type ItemResult } from "@millrace/client-admin";
import { Argument, Command } from "commander";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { throwFirstFailure } from "../item-failures.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { collectKeyValue, parsePositiveCount } from "../parse.js";

interface CreateOptions extends ClientOptions, OutputOptions {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
  readonly ifNotExists?: boolean;
  readonly validateOnly?: boolean;
}

function describeCreated(topic: CreatedTopic, options: CreateOptions): string {
  const partitions = topic.partitions === 1 ? "1 partition" : `${topic.partitions} partitions`;
  const size = `${partitions}, replication factor ${topic.replicationFactor}`;
  if (topic.created) {
    return `Created topic ${topic.name} (${size}).`;
  }
  return options.validateOnly
    ? `Topic ${topic.name} can be created (${size}).`
    : `Topic ${topic.name} exists already (${size}).`;
}

async function createTopics(
  context: CommandContext,
  names: readonly string[],
  options: CreateOptions,
): Promise<void> {
  const { partitions, replicationFactor, config, ifNotExists, validateOnly } = options;
  const results = await withClient(context, options.bootstrap, async (client) => {
    const admin = new Admin({ client });
    const topics = names.map((name) => ({ name, partitions, replicationFactor, config }));
    const { signal } = context;
    return admin.createTopics(topics, { ifNotExists, validateOnly, signal });
  });
  const isDone = (item: ItemResult<CreatedTopic>) => item.ok;
  const created = results.filter(isDone);
  if (options.json) {
    context.terminal.out(jsonText(created.map(({ ok: _ok, ...topic }) => topic)));
  } else {
    for (const topic of created) {
      context.terminal.out(describeCreated(topic, options));
    }
  }
  throwFirstFailure(context, results);
}

export function topicsCreateCommand(context: CommandContext): Command {
  const command = new Command("create")
    .description("create topics")
    .addArgument(new Argument("<name...>", "names of the topics"))
    .option(
      "-p, --partitions <n>",
      "partitions of each (default: the broker's)",
      parsePositiveCount,
    )
    .option(
      "-r, --replication-factor <n>",
      "replicas of each partition (default: the broker's)",
      parsePositiveCount,
    )
    .option("-c, --config <key=value>", "topic configuration; may be repeated", collectKeyValue)
    .option("--if-not-exists", "a topic that exists already is fine")
    .option("--validate-only", "check, and create nothing")
    .action((names: string[], options: CreateOptions) => createTopics(context, names, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics create orders --partitions 3 --config retention.ms=604800000",
    "millrace topics create orders --if-not-exists",
  ]);
}
