// `millrace topics add-partitions NAME --to N`: partitions can be added, never taken away.

import { Admin } from "@millrace/client-admin";
import { Argument, Command } from "commander";
import { usageError } from "../cli-error.js";
import { withClient } from "../client.js";
import { confirm } from "../confirm.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { parsePositiveCount } from "../parse.js";

interface AddOptions extends ClientOptions, OutputOptions {
  readonly to: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

async function addPartitions(
  context: CommandContext,
  topic: string,
  options: AddOptions,
): Promise<void> {
  const { terminal, signal } = context;
  const isDryRun = options.dryRun === true;
  await withClient(context, options.bootstrap, async (client) => {
    const before = (await client.metadata.topic(topic, { signal })).partitions.length;
    if (options.to <= before) {
      throw usageError(
        `Topic ${topic} has ${before} partitions already.`,
        "Partitions can only be added: --to takes the number there shall be in all.",
      );
    }
    const question = `Extend ${topic} from ${before} to ${options.to} partitions? Keyed records may go elsewhere, and partitions cannot be removed.`;
    if (!isDryRun && options.yes !== true && !(await confirm(context, question))) {
      terminal.note("Nothing was changed.");
      return;
    }
    const admin = new Admin({ client });
    await admin.createPartitions(topic, options.to, { validateOnly: isDryRun, signal });
    const result = { topic, before, after: options.to, applied: !isDryRun };
    const text = isDryRun
      ? `Topic ${topic} can be extended from ${before} to ${options.to} partitions.`
      : `Topic ${topic} has ${options.to} partitions now (before: ${before}).`;
    terminal.out(options.json ? jsonText(result) : text);
  });
}

export function topicsAddPartitionsCommand(context: CommandContext): Command {
  const command = new Command("add-partitions")
    .description("give a topic more partitions; keyed records may go elsewhere from then on")
    .addArgument(new Argument("<name>", "an existing topic"))
    .requiredOption("--to <n>", "how many there shall be in all", parsePositiveCount)
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "ask the broker whether it would accept this, and change nothing")
    .action((name: string, options: AddOptions) => addPartitions(context, name, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics add-partitions orders --to 12 --dry-run",
    "millrace topics add-partitions orders --to 12 --yes",
  ]);
}
