// `millrace topics describe [NAME...]`: a line per topic and a line per partition, under the headings people grep.

import { Admin, type PartitionDescription, type TopicDescription } from "@millrace/client-admin";
import { flushPolicyText, parseLogConfig, topicConfigProblem } from "@millrace/storage";
import { Argument, Command } from "commander";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { formatBytes } from "../format/numbers.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import { throwFirstFailure } from "../item-failures.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";

interface DescribeOptions extends ClientOptions, OutputOptions {
  readonly allConfigs?: boolean;
}

const offset = (value: number): string => (value < 0 ? "-" : String(value));

function partitionColumns(context: CommandContext): readonly Column<PartitionDescription>[] {
  const { colors } = context.terminal;
  return [
    { title: "Partition", value: (row) => String(row.partition), align: "right" },
    {
      title: "Leader",
      value: (row) => (row.leaderId < 0 ? "none" : String(row.leaderId)),
      align: "right",
    },
    { title: "Replicas", value: (row) => row.replicas.join(","), isOptional: true },
    {
      title: "Isr",
      value: (row) => row.isr.join(","),
      paint: (text, row) => (row.isr.length < row.replicas.length ? colors.yellow(text) : text),
    },
    { title: "StartOffset", value: (row) => offset(row.logStartOffset), align: "right" },
    { title: "EndOffset", value: (row) => offset(row.highWatermark), align: "right" },
    {
      title: "Flushed",
      value: (row) => offset(row.flushedOffset),
      align: "right",
      isOptional: true,
    },
    {
      title: "Size",
      value: (row) => (row.sizeBytes < 0 ? "-" : formatBytes(row.sizeBytes)),
      align: "right",
    },
    {
      title: "Segments",
      value: (row) => offset(row.segmentCount),
      align: "right",
      isOptional: true,
    },
    {
      title: "State",
      value: (row) => escapeControls(row.state),
      paint: (text, row) => (row.state === "online" ? colors.green(text) : colors.red(text)),
    },
  ];
}

const FLUSH_KEYS: readonly string[] = ["flush", "flush.ms", "flush.messages"];

/** Undefined when a newer broker has policies that are not known here. */
function flushPolicy({ config }: TopicDescription): string | undefined {
  const entries = config.filter(({ key }) => FLUSH_KEYS.includes(key));
  const isKnown = entries.every(({ key, value }) => topicConfigProblem(key, value) === undefined);
  const values = entries.map(({ key, value }) => [key, value] as const);
  return isKnown ? flushPolicyText(parseLogConfig(Object.fromEntries(values))) : undefined;
}

function printTopic(
  context: CommandContext,
  topic: TopicDescription,
  options: DescribeOptions,
): void {
  const { terminal } = context;
  const { colors } = terminal;
  const configs = topic.config
    .filter((entry) => options.allConfigs === true || entry.source === "topic")
    .map((entry) => `${entry.key}=${entry.value}`);
  const cell = (name: string, value: string): string => `${colors.bold(`${name}:`)} ${value}`;
  const head = [
    cell("Topic", topic.name),
    cell("PartitionCount", String(topic.partitions.length)),
    cell("ReplicationFactor", String(topic.replicationFactor)),
  ];
  const details = [
    cell("TopicId", topic.topicId),
    cell("Configs", configs.length === 0 ? "-" : escapeControls(configs.join(", "))),
  ];
  const durability = flushPolicy(topic);
  terminal.out(head.join("  "));
  terminal.out(`  ${details.join("  ")}`);
  if (durability !== undefined) {
    terminal.out(`  ${cell("Durability", durability)}`);
  }
  const { columns: width } = terminal;
  const table = renderTable(topic.partitions, partitionColumns(context), {
    colors,
    width,
    indent: 2,
  });
  terminal.out(table);
}

async function describeTopics(
  context: CommandContext,
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  const { terminal, signal } = context;
  const results = await withClient(context, options.bootstrap, (client) =>
    new Admin({ client }).describeTopics(names.length === 0 ? undefined : names, { signal }),
  );
  const topics = results.filter((item) => item.ok);
  if (options.json) {
    terminal.out(jsonText(topics.map(({ ok: _ok, ...topic }) => topic)));
  } else if (results.length === 0) {
    terminal.note("There are no topics yet. `millrace topics create NAME` creates one.");
  }
  for (const [index, topic] of options.json ? [] : topics.entries()) {
    if (index > 0) {
      terminal.out("");
    }
    printTopic(context, topic, options);
  }
  throwFirstFailure(context, results);
}

export function topicsDescribeCommand(context: CommandContext): Command {
  const command = new Command("describe")
    .description("show topics with their partitions, offsets and sizes")
    .addArgument(new Argument("[name...]", "names of the topics (default: all)"))
    .option("--all-configs", "defaults too, not only what was set for the topic")
    .action((names: string[], options: DescribeOptions) => describeTopics(context, names, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics describe orders",
    "millrace topics describe orders --all-configs --json",
  ]);
}
