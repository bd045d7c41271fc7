// The command line of `millrace-server`. Loaded by main.ts once the environment is set.

import { Command, Option } from "commander";
import { serverExitCodes } from "./exit-codes.js";
import { runServer } from "./run-server.js";
import { type ServerOption, serverOptions } from "./server-options.js";
import { softwareVersion } from "./software-version.js";

/** The option as commander knows it; values are parsed by `mergeSettings`, so that all sources are treated alike. */
function commanderOption({ flag, description, environment, default: standard }: ServerOption) {
  const note = standard === undefined ? environment : `default: ${standard}; ${environment}`;
  return new Option(flag, `${description} (${note})`);
}

/** Commander names values after the flag; ours go by the option's name. */
function flagsByName(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const named: Record<string, unknown> = {
    json: values["json"],
    configFile: values["config"],
  };
  for (const option of serverOptions) {
    named[option.name] = values[commanderOption(option).attributeName()];
  }
  return named;
}

/** Parses the arguments and runs the server; resolves with the exit code. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const command = new Command("millrace-server")
    .description("A Millrace broker.")
    .version(softwareVersion())
    .option("-c, --config <file>", "configuration file in JSON (MILLRACE_CONFIG_FILE)")
    .option("--json", 'print {"event":"listening",...} on standard output when it serves')
    .exitOverride();
  for (const option of serverOptions) {
    command.addOption(commanderOption(option));
  }
  try {
    command.parse([...argv]);
  } catch (error) {
    const isHelp = (error as { exitCode?: unknown }).exitCode === 0;
    return isHelp ? serverExitCodes.OK : serverExitCodes.USAGE;
  }
  return runServer({
    flags: flagsByName(command.opts()),
    environment: process.env,
    writeOutput: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    onSignal: (callback) => {
      process.on("SIGINT", callback).on("SIGTERM", callback);
      return () => void process.off("SIGINT", callback).off("SIGTERM", callback);
    },
    exitNow: (code) => process.exit(code),
  });
}
