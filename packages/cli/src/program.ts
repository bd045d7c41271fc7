// The command tree: which commands there are, in which groups, and how usage mistakes are told.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { benchConsumeCommand } from "./commands/bench-consume.js";
import { benchLatencyCommand } from "./commands/bench-latency.js";
import { benchProduceCommand } from "./commands/bench-produce.js";
import { clusterDescribeCommand } from "./commands/cluster-describe.js";
import { consumeCommand } from "./commands/consume.js";
import { logDumpCommand } from "./commands/log-dump.js";
import { logVerifyCommand } from "./commands/log-verify.js";
import { produceCommand } from "./commands/produce.js";
import { startCommand } from "./commands/start.js";
import { topicsCreateCommand } from "./commands/topics-create.js";
import { topicsDeleteCommand } from "./commands/topics-delete.js";
import { topicsDescribeCommand } from "./commands/topics-describe.js";
import { topicsListCommand } from "./commands/topics-list.js";
import type { CommandContext } from "./context.js";

function version(): string {
  const path = new URL("../package.json", import.meta.url);
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed
    ? String(parsed.version)
    : "unknown";
}

function group(name: string, description: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(description);
  for (const command of commands) {
    parent.addCommand(command);
  }
  return parent;
}

/** Errors throw instead of ending the process, here and in every command below. */
function configure(command: Command, context: CommandContext): void {
  const { terminal } = context;
  command.exitOverride();
  command.showHelpAfterError(`(\`${commandPath(command)} --help\` shows what there is.)`);
  command.configureOutput({
    writeOut: (text) => void terminal.streams.stdout.write(text),
    writeErr: (text) => void terminal.streams.stderr.write(text),
    getOutHelpWidth: () => terminal.columns ?? 100,
    getErrHelpWidth: () => terminal.columns ?? 100,
  });
  for (const child of command.commands) {
    configure(child, context);
  }
}

function commandPath(command: Command): string {
  return command.parent === null
    ? command.name()
    : `${commandPath(command.parent)} ${command.name()}`;
}

/** A fresh tree; parsing it runs the command, whose result goes to `context.terminal`. */
export function createProgram(context: CommandContext): Command {
  const program = new Command("millrace")
    .description("Millrace: a Kafka-style log for the JavaScript world.")
    .version(version(), "-V, --version")
    .addHelpText(
      "after",
      [
        "",
        "First steps:",
        "  $ millrace start                        # a broker on 127.0.0.1:9092",
        "  $ millrace topics create greetings      # in another terminal",
        "  $ echo hello | millrace produce greetings",
        "  $ millrace consume greetings --from earliest",
        "",
        "Exit codes: 0 done, 1 failed, 64 usage, 65 bad input, 66 no input, 69 no broker,",
        "            73 cannot write, 75 try again later, 130 interrupted.",
      ].join("\n"),
    );
  program.addCommand(startCommand(context));
  program.addCommand(
    group("topics", "create, list, describe and delete topics", [
      topicsCreateCommand(context),
      topicsListCommand(context),
      topicsDescribeCommand(context),
      topicsDeleteCommand(context),
    ]),
  );
  program.addCommand(produceCommand(context));
  program.addCommand(consumeCommand(context));
  program.addCommand(
    group("cluster", "see the cluster as a whole", [clusterDescribeCommand(context)]),
  );
  program.addCommand(
    group("log", "inspect a data directory's files", [
      logDumpCommand(context),
      logVerifyCommand(context),
    ]),
  );
  program.addCommand(
    group("bench", "measure a broker", [
      benchProduceCommand(context),
      benchConsumeCommand(context),
      benchLatencyCommand(context),
    ]),
  );
  configure(program, context);
  return program;
}
