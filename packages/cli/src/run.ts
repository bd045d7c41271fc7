// Runs the program inside a process: signals, closed pipes, errors and exit codes. The commands below it know
// nothing of a process.

import { CommanderError } from "commander";
import { describeError } from "./cli-error.js";
import type { CommandContext } from "./context.js";
import { exitCodes } from "./exit-codes.js";
import { jsonLine } from "./format/json.js";
import { createProgram } from "./program.js";
import { Terminal } from "./terminal.js";

const SHOW_CURSOR = "\u001b[?25h";

function printError(context: CommandContext, error: unknown, asJson: boolean): number {
  const { code, message, hint, exitCode } = describeError(error);
  const { terminal, env } = context;
  if (asJson) {
    terminal.note(jsonLine({ error: { code, message, hint: hint ?? null } }));
  } else {
    const label = code === "CLI" || code === "UNEXPECTED" ? "" : ` (${code})`;
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

async function execute(context: CommandContext, argv: readonly string[]): Promise<number> {
  const asJson = argv.includes("--json");
  try {
    await createProgram(context).parseAsync(argv, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end with 0; everything else was a usage mistake that commander has printed.
      return error.exitCode === 0 ? exitCodes.OK : exitCodes.USAGE;
    }
    if (context.signal.aborted) {
      // The terminal shows ^C; the shell's prompt gets a line of its own.
      context.terminal.streams.stderr.write(context.terminal.showsProgress ? "\n" : "");
      return exitCodes.INTERRUPTED;
    }
    return printError(context, error, asJson);
  }
}

/** Runs the command line of `target` and leaves its exit code there. */
export async function run(target: NodeJS.Process): Promise<void> {
  const controller = new AbortController();
  leaveQuietlyWhenPipeCloses(target);
  interruptOn(target, controller);
  const context: CommandContext = {
    terminal: new Terminal(target, target.env),
    env: target.env,
    signal: controller.signal,
    exitCode: exitCodes.OK,
  };
  target.exitCode = await execute(context, target.argv.slice(2));
  // Standard input may keep the process alive when a command stopped reading it.
  target.stdin.unref?.();
}
