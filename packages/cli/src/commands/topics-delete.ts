// `millrace topics delete NAME...`: for good, so it asks on a terminal and wants `--yes` elsewhere.

import { Admin } from "@millrace/client-admin";
import { Argument, Command } from "commander";
import { withClient } from "../client.js";
import { confirm } from "../confirm.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { throwFirstFailure } from "../item-failures.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";

interface DeleteOptions extends ClientOptions, OutputOptions {
  readonly yes?: boolean;
}

async function deleteTopics(
  context: CommandContext,
  names: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  const { terminal, signal } = context;
  if (options.yes !== true && !(await confirm(context, `Delete ${names.join(", ")} for good?`))) {
    terminal.note("Nothing was deleted.");
    return;
  }
  const results = await withClient(context, options.bootstrap, (client) =>
    new Admin({ client }).deleteTopics(names, { signal }),
  );
  const deleted = results.filter((item) => item.ok);
  if (options.json) {
    terminal.out(jsonText(deleted.map(({ ok: _ok, ...topic }) => topic)));
  } else {
    for (const topic of deleted) {
      terminal.out(`Deleted topic ${topic.name}.`);
    }
  }
  throwFirstFailure(context, results);
}

export function topicsDeleteCommand(context: CommandContext): Command {
  const command = new Command("delete")
    .description("delete topics and all their records, for good")
    .addArgument(new Argument("<name...>", "names of the topics"))
    .option("-y, --yes", "do not ask")
    .action((names: string[], options: DeleteOptions) => deleteTopics(context, names, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics delete orders",
    "millrace topics delete orders --yes",
  ]);
}
