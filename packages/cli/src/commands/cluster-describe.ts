// `millrace cluster describe`

import { Admin, type BrokerDescription } from "@millrace/client-admin";
import { Command } from "commander";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";

interface DescribeOptions extends ClientOptions, OutputOptions {}

async function describeCluster(context: CommandContext, options: DescribeOptions): Promise<void> {
  const { terminal, signal } = context;
  const cluster = await withClient(context, options.bootstrap, (client) =>
    new Admin({ client }).describeCluster({ signal }),
  );
  if (options.json) {
    terminal.out(jsonText(cluster));
    return;
  }
  const { colors, columns: width } = terminal;
  const line = (name: string, value: string): void =>
    terminal.out(`${colors.bold(`${name}:`.padEnd(12))} ${value}`);
  line("Cluster", escapeControls(cluster.clusterId));
  line("Topics", `${cluster.topicCount}, with ${cluster.partitionCount} partitions`);
  const columns: readonly Column<BrokerDescription>[] = [
    { title: "Node", value: (broker) => String(broker.nodeId), align: "right" },
    { title: "Url", value: (broker) => escapeControls(broker.url), isFlexible: true },
    {
      title: "Controller",
      value: (broker) => (broker.nodeId === cluster.controllerId ? "active" : ""),
      paint: (text) => colors.green(text),
    },
  ];
  terminal.out("");
  terminal.out(renderTable(cluster.brokers, columns, { colors, width }));
}

export function clusterDescribeCommand(context: CommandContext): Command {
  const command = new Command("describe")
    .description("show the cluster's id, brokers and controller")
    .action((options: DescribeOptions) => describeCluster(context, options));
  addClientOptions(command, context);
  return addExamples(command, ["millrace cluster describe"]);
}
