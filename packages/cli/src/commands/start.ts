// `millrace start`: a broker in the foreground. The server package does the work and defines the options; here
// is what somebody at a terminal sees.

import { readFile } from "node:fs/promises";
import {
  createPinoLogger,
  mergeSettings,
  type RunningServer,
  type ServerOption,
  type ServerSettings,
  serverExitCodeOf,
  serverOptions,
  startServer,
} from "@millrace/server";
import { Command, Option } from "commander";
import { CliError, describeError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { addExamples, addJsonOption, DEFAULT_BOOTSTRAP } from "../options.js";

/** Like the server's own bin: the file may also be named in the environment. */
const CONFIG_FILE_VARIABLE = "MILLRACE_CONFIG_FILE";

function commanderOption({
  flag,
  description,
  environment,
  default: standard,
}: ServerOption): Option {
  const note = standard === undefined ? environment : `default: ${standard}; ${environment}`;
  return new Option(flag, `${description} (${note})`);
}

/** Commander names values after the flag; the server's table has names of its own. */
function flagsByName(
  values: Readonly<Record<string, unknown>>,
): Partial<Record<keyof ServerSettings, unknown>> {
  return Object.fromEntries(
    serverOptions.map((option) => [option.name, values[commanderOption(option).attributeName()]]),
  );
}

async function readSettings(
  context: CommandContext,
  values: Readonly<Record<string, unknown>>,
): Promise<ServerSettings> {
  const { [CONFIG_FILE_VARIABLE]: fromEnvironment, ...environment } = context.env;
  const given = values["config"] ?? fromEnvironment;
  const path = typeof given === "string" && given !== "" ? given : undefined;
  const file = path === undefined ? undefined : { path, content: await readFile(path, "utf8") };
  return mergeSettings({ file, environment, flags: flagsByName(values) });
}

function startError(error: unknown): CliError {
  const described = describeError(error);
  return new CliError(described.message, {
    code: described.code,
    exitCode: serverExitCodeOf(error),
    hint: described.code === "UNEXPECTED" ? undefined : described.hint,
    cause: error,
  });
}

function printBanner(context: CommandContext, server: RunningServer): void {
  const { terminal } = context;
  const { colors } = terminal;
  const isDefault = server.url === DEFAULT_BOOTSTRAP;
  const steps = [
    ...(isDefault ? [] : [[`export MILLRACE_BOOTSTRAP=${server.url}`, "where it is"] as const]),
    ["millrace topics create greetings", "a topic"] as const,
    ["millrace produce greetings", "type records"] as const,
    ["millrace consume greetings --from earliest", "read them"] as const,
  ];
  const width = Math.max(...steps.map(([text]) => text.length));
  terminal.out(
    [
      "",
      `  ${colors.bold("Millrace")} serves at ${colors.bold(colors.green(server.url))}`,
      `  ${colors.dim("data in")} ${server.dataDirectory}  ${colors.dim(`cluster ${server.clusterId}, node ${server.nodeId}`)}`,
      "",
      "  In another terminal:",
      ...steps.map(
        ([text, comment]) =>
          `    ${colors.cyan(text.padEnd(width))}  ${colors.dim(`# ${comment}`)}`,
      ),
      "",
      `  ${colors.dim("Ctrl-C stops the broker; everything acknowledged is on disk.")}`,
      "",
    ].join("\n"),
  );
}

function announce(context: CommandContext, server: RunningServer, asJson: boolean): void {
  const { terminal } = context;
  const { url, host, port, clusterId, nodeId, dataDirectory } = server;
  if (asJson) {
    const event = { event: "listening", url, host, port, clusterId, nodeId, dataDirectory };
    terminal.out(jsonLine({ ...event, pid: process.pid }));
  } else if (terminal.isTerminal) {
    printBanner(context, server);
  }
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(undefined);
    }
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

async function start(
  context: CommandContext,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const settings = await readSettings(context, values);
  // With a banner on the terminal, a log line about the same is one too many.
  const isQuiet = context.terminal.isTerminal && values["json"] !== true;
  const logger = createPinoLogger({
    level: settings.logLevel ?? (isQuiet ? "warn" : "info"),
    ...(settings.logFormat === undefined ? {} : { format: settings.logFormat }),
  });
  try {
    const server = await startServer({ ...settings, logger });
    announce(context, server, values["json"] === true);
    const failure = await Promise.race([whenAborted(context.signal), server.failed]);
    if (failure !== undefined) {
      throw failure;
    }
    logger.info({}, "stopping");
    await server.stop();
    logger.info({}, "stopped");
  } catch (error) {
    throw startError(error);
  }
}

export function startCommand(context: CommandContext): Command {
  const command = new Command("start")
    .description("run a broker until Ctrl-C")
    .option("-c, --config <file>", `configuration file in JSON (${CONFIG_FILE_VARIABLE})`);
  for (const option of serverOptions) {
    command.addOption(commanderOption(option));
  }
  addJsonOption(
    command,
    context,
    'print {"event":"listening","url":...} on one line when it serves',
  ).action((values: Record<string, unknown>) => start(context, values));
  return addExamples(command, [
    "millrace start",
    "millrace start --port 0 --json --data-dir /var/lib/millrace",
    "millrace start --topics topics.json --set num.partitions=3",
  ]);
}
