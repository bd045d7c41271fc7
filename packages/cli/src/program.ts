// The command tree: which commands there are, in which groups, and how usage mistakes are told.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { type CatalogueEntry, catalogue, findEntry, groups } from "./catalogue.js";
import type { CommandContext } from "./context.js";

function version(): string {
  const path = new URL("../package.json", import.meta.url);
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed
    ? String(parsed.version)
    : "unknown";
}

/** Errors throw instead of ending the process, here and in every command below. */
function configure(command: Command, context: CommandContext, asJson: boolean): void {
  const { terminal } = context;
  command.exitOverride();
  if (!asJson) {
    command.showHelpAfterError(`(\`${commandPath(command)} --help\` shows what there is.)`);
  }
  command.configureOutput({
    writeOut: (text) => void terminal.streams.stdout.write(text),
    // With --json the caller prints the error, as JSON.
    writeErr: (text) => void (asJson || terminal.streams.stderr.write(text)),
    getOutHelpWidth: () => terminal.columns ?? 100,
    getErrHelpWidth: () => terminal.columns ?? 100,
  });
  for (const child of command.commands) {
    configure(child, context, asJson);
  }
}

function commandPath(command: Command): string {
  return command.parent === null
    ? command.name()
    : `${commandPath(command.parent)} ${command.name()}`;
}

const rootHelp = [
  "",
  "First steps:",
  "  $ millrace start                        # a broker on 127.0.0.1:9092",
  "  $ millrace topics create greetings      # in another terminal",
  "  $ echo hello | millrace produce greetings",
  "  $ millrace consume greetings --from earliest",
  "",
  "No connection? `millrace doctor` finds out why.",
  "",
  "Exit codes: 0 done, 1 failed, 64 usage, 65 bad input, 66 no input, 69 no broker,",
  "            73 cannot write, 74 disk failed, 75 try again later, 130 interrupted.",
].join("\n");

/** Listed in help, never run: the command line names another. */
function stub(name: string, { summary }: CatalogueEntry): Command {
  return new Command(name).description(summary);
}

function groupOf(program: Command, name: string): Command {
  const existing = program.commands.find((command) => command.name() === name);
  return existing ?? program.command(name).description(groups[name] ?? "");
}

/** What a command line names; for `complete -- WORDS` also what the words name, whose options are asked for. */
function wantedEntries(argv: readonly string[]): ReadonlySet<CatalogueEntry | undefined> {
  const own = findEntry(argv);
  const dashes = argv.indexOf("--");
  return own?.path[0] === "complete" && dashes >= 0
    ? new Set([own, findEntry(argv.slice(dashes + 1))])
    : new Set([own]);
}

export interface ProgramOptions {
  /** Loads the command this names, the others are only listed. Default: every command is loaded. */
  readonly argv?: readonly string[] | undefined;
}

/** A fresh tree; parsing it runs the command, whose result goes to `context.terminal`. */
export async function createProgram(
  context: CommandContext,
  options: ProgramOptions = {},
): Promise<Command> {
  const { argv } = options;
  const program = new Command("millrace")
    .description("Millrace: a Kafka-style log for the JavaScript world.")
    .version(version(), "-V, --version")
    .addHelpText("after", rootHelp);
  const wanted = argv === undefined ? new Set(catalogue) : wantedEntries(argv);
  for (const entry of catalogue) {
    const [first, second] = entry.path;
    const name = second ?? first;
    const command = wanted.has(entry) ? (await entry.load())(context) : stub(name, entry);
    const parent = second === undefined ? program : groupOf(program, first);
    parent.addCommand(command, { hidden: entry.isHidden === true });
  }
  configure(program, context, argv?.includes("--json") === true);
  return program;
}
