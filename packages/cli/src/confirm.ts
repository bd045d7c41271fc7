// Asking before something is gone for good.

import { createInterface } from "node:readline/promises";
import { usageError } from "./cli-failure.js";
import type { CommandContext } from "./context.js";
import { exitCodes } from "./exit-codes.js";

/**
 * True when the person at the keyboard typed y or yes. Else the command's exit code is set: 1 for no, 130 for Ctrl-C.
 * @throws CliError where nobody can
 */
export async function confirm(context: CommandContext, question: string): Promise<boolean> {
  const { terminal, signal } = context;
  if (!terminal.isInteractive) {
    throw usageError("This needs a confirmation.", "Add --yes to do it without being asked.");
  }
  const prompt = createInterface({
    input: terminal.streams.stdin,
    output: terminal.streams.stderr,
  });
  const interrupt = new AbortController();
  // readline takes Ctrl-C for itself while it asks.
  context.exitCode = exitCodes.FAILURE;
  prompt.once("SIGINT", () => {
    context.exitCode = exitCodes.INTERRUPTED;
    interrupt.abort();
  });
  prompt.once("close", () => interrupt.abort());
  try {
    const answer = await prompt.question(`${question} [y/N] `, {
      signal: AbortSignal.any([signal, interrupt.signal]),
    });
    const isYes = /^y(?:es)?$/i.test(answer.trim());
    context.exitCode = isYes ? exitCodes.OK : exitCodes.FAILURE;
    return isYes;
  } catch (error) {
    if (interrupt.signal.aborted || signal.aborted) {
      terminal.note("");
      return false;
    }
    throw error;
  } finally {
    prompt.close();
  }
}
