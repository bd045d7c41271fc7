// Runs the program inside a process: signals, closed pipes, errors and exit codes. The commands below it know
// nothing of a process.

import { CommanderError } from "commander";
import { commandWords } from "./catalogue.js";
import type { CommandContext, CommandDefaults } from "./context.js";
import { exitCodes } from "./exit-codes.js";
import { jsonLine } from "./format/json.js";
import { commandDefaults } from "./profile-defaults.js";
import { createProgram } from "./program.js";
import { Terminal } from "./terminal.js";

const SHOW_CURSOR = "\u001b[?25h";

const silentCodes: ReadonlySet<string> = new Set(["CLI", "UNEXPECTED", "USAGE"]);

async function printError(
  context: CommandContext,
  error: unknown,
  asJson: boolean,
): Promise<number> {
  // Loaded when needed: it knows the protocol's errors.
  const { describeError } = await import("./cli-error.js");
  const { code, message, hint, exitCode } = describeError(error);
  const { terminal, env } = context;
  if (asJson) {
    terminal.note(jsonLine({ error: { code, message, hint: hint ?? null } }));
  } else {
    const label = silentCodes.has(code) ? "" : ` (${code})`;
    terminal.note(
      `${terminal.noteColors.red("error:")} ${message}${terminal.noteColors.dim(label)}`,
    );
    if (hint !== undefined) {
      terminal.note(`  ${hint}`);
    }
  }
  if ((env["MILLRACE_DEBUG"] ?? "") !== "" && error instanceof Error) {
    terminal.note(error.stack ?? "");
    if (error.cause !== undefined) {
      terminal.note(`caused by: ${error.cause instanceof Error ? error.cause.stack : error.cause}`);
    }
  }
  return exitCode;
}

/** A reader that goes away (`| head`) is no error: there is just nothing more to say. */
function leaveQuietlyWhenPipeCloses(target: NodeJS.Process): void {
  for (const stream of [target.stdout, target.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") {
        target.exit(exitCodes.OK);
      }
      throw error;
    });
  }
}

/** The first signal asks the command to end; the second ends the process. */
function interruptOn(target: NodeJS.Process, controller: AbortController): void {
  const leave = (): void => {
    if (target.stderr.isTTY) {
      target.stderr.write(SHOW_CURSOR);
    }
    target.exit(exitCodes.INTERRUPTED);
  };
  const interrupt = (): void => {
    if (controller.signal.aborted) {
      leave();
    }
    controller.abort(new Error("interrupted"));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    target.on(signal, interrupt);
  }
}

/** Commands that must work whatever the profile file says: those that mend it, and plain help. */
function readDefaults(argv: readonly string[], target: NodeJS.Process): CommandDefaults {
  const [first] = commandWords(argv);
  const isIndependent = first === undefined || first === "profile" || first.startsWith("complet");
  if (isIndependent) {
    try {
      return commandDefaults(argv, target.env);
    } catch {
      return {};
    }
  }
  return commandDefaults(argv, target.env);
}

async function execute(context: CommandContext, argv: readonly string[]): Promise<number> {
  const asJson = argv.includes("--json") || context.defaults.json === true;
  try {
    const program = await createProgram(context, { argv });
    await program.parseAsync(argv, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      return toldByCommander(context, error, argv.includes("--json"));
    }
    if (context.signal.aborted) {
      // The terminal shows ^C; the shell's prompt gets a line of its own.
      context.terminal.streams.stderr.write(context.terminal.showsProgress ? "\n" : "");
      return exitCodes.INTERRUPTED;
    }
    return printError(context, error, asJson);
  }
}

/** Help and version end with 0; everything else was a usage mistake, which commander has printed for people. */
function toldByCommander(context: CommandContext, error: CommanderError, asJson: boolean): number {
  if (error.exitCode === 0) {
    return exitCodes.OK;
  }
  if (asJson) {
    const message = error.message.replace(/^error: /, "");
    context.terminal.note(jsonLine({ error: { code: "USAGE", message, hint: null } }));
  }
  return exitCodes.USAGE;
}

/** Runs the command line of `target` and leaves its exit code there. */
export async function run(target: NodeJS.Process): Promise<void> {
  const controller = new AbortController();
  leaveQuietlyWhenPipeCloses(target);
  interruptOn(target, controller);
  const argv = target.argv.slice(2);
  const terminal = new Terminal(target, target.env);
  const base = { terminal, env: target.env, signal: controller.signal, exitCode: exitCodes.OK };
  let defaults: CommandDefaults = {};
  try {
    defaults = readDefaults(argv, target);
  } catch (error) {
    const asJson = argv.includes("--json");
    target.exitCode = await printError({ ...base, defaults }, error, asJson);
    return;
  }
  target.exitCode = await execute({ ...base, defaults }, argv);
  // Standard input may keep the process alive when a command stopped reading it.
  target.stdin.unref?.();
}
