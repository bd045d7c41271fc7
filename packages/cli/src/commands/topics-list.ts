// `millrace topics list`

import { Admin, type TopicListing } from "@millrace/client-admin";
import { Command } from "commander";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { type Column, renderTable } from "../format/table.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";

interface ListOptions extends ClientOptions, OutputOptions {
  readonly internal?: boolean;
}

const columns: readonly Column<TopicListing>[] = [
  { title: "Topic", value: (topic) => topic.name, isFlexible: true },
  { title: "PartitionCount", value: (topic) => String(topic.partitions), align: "right" },
  { title: "ReplicationFactor", value: (topic) => String(topic.replicationFactor), align: "right" },
  { title: "TopicId", value: (topic) => topic.topicId, isOptional: true },
];

async function listTopics(context: CommandContext, options: ListOptions): Promise<void> {
  const { terminal, signal } = context;
  const topics = await withClient(context, options.bootstrap, (client) =>
    new Admin({ client }).listTopics({ includeInternal: options.internal, signal }),
  );
  if (options.json) {
    terminal.out(jsonText(topics));
    return;
  }
  if (topics.length === 0) {
    terminal.note("There are no topics yet. `millrace topics create NAME` creates one.");
    return;
  }
  const { colors, columns: width } = terminal;
  terminal.out(renderTable(topics, columns, { colors, width }));
}

export function topicsListCommand(context: CommandContext): Command {
  const command = new Command("list")
    .description("list topics")
    .option("--internal", "Millrace's own topics too")
    .action((options: ListOptions) => listTopics(context, options));
  addClientOptions(command, context);
  return addExamples(command, ["millrace topics list", "millrace topics list --json"]);
}
