// The options that commands share, defined once, and the way a command shows its example.

import { type Command, Option } from "commander";
import type { CommandContext } from "./context.js";

export const DEFAULT_BOOTSTRAP = "ws://127.0.0.1:9092";

/** Of commands that talk to a broker. */
export interface ClientOptions {
  readonly bootstrap: string;
}

/** Of commands that print a result. */
export interface OutputOptions {
  readonly json?: boolean;
}

export function bootstrapOption(context: CommandContext): Option {
  const option = new Option("-b, --bootstrap <url>", "broker to talk to: ws://HOST:PORT");
  const fromEnvironment = context.env["MILLRACE_BOOTSTRAP"];
  return fromEnvironment === undefined || fromEnvironment === ""
    ? option.default(DEFAULT_BOOTSTRAP)
    : option.default(fromEnvironment, `${fromEnvironment}, from MILLRACE_BOOTSTRAP`);
}

export function jsonOption(description = "print the result as JSON"): Option {
  return new Option("--json", description);
}

/** `--bootstrap` and `--json`. */
export function addClientOptions(command: Command, context: CommandContext): Command {
  return command.addOption(bootstrapOption(context)).addOption(jsonOption());
}

/** Shown under the options in `--help`. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  const title = examples.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText(
    "after",
    `\n${title}\n${examples.map((line) => `  $ ${line}`).join("\n")}`,
  );
}
