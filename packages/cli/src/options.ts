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
  const given = context.defaults.bootstrap;
  return given === undefined
    ? option.default(DEFAULT_BOOTSTRAP)
    : option.default(given.url, `${given.url}, from ${given.source}`);
}

export function addJsonOption(
  command: Command,
  context: CommandContext,
  description = "print the result as JSON",
): Command {
  if (context.defaults.json !== true) {
    return command.addOption(new Option("--json", description));
  }
  return command
    .addOption(new Option("--json", description).default(true, "from the profile"))
    .addOption(new Option("--no-json", "print for people, whatever the profile says"));
}

/** Read before the commands are built (profile.ts); here so that `--help` shows it and parsing accepts it. */
function addProfileOption(command: Command): Command {
  return command.option("--profile <name>", "take defaults from this profile");
}

/** `--bootstrap`, `--profile` and `--json`. */
export function addClientOptions(command: Command, context: CommandContext): Command {
  command.addOption(bootstrapOption(context));
  return addJsonOption(addProfileOption(command), context);
}

/**
 * As `addClientOptions`, for commands that start a broker of their own when none is named. The profile in use does not
 * name one: what loads a broker should hit one that was meant.
 */
export function addOptionalClientOptions(
  command: Command,
  context: CommandContext,
  descriptions: { readonly bootstrap: string; readonly json: string },
): Command {
  const option = new Option("-b, --bootstrap <url>", descriptions.bootstrap);
  const given = context.defaults.bootstrap;
  if (given?.isDeliberate === true) {
    option.default(given.url, `${given.url}, from ${given.source}`);
  }
  addProfileOption(command.addOption(option));
  return addJsonOption(command, context, descriptions.json);
}

/** Shown under the options in `--help`. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  const title = examples.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText(
    "after",
    `\n${title}\n${examples.map((line) => `  $ ${line}`).join("\n")}`,
  );
}
