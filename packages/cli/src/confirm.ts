// Asking before something is gone for good.

import { createInterface } from "node:readline/promises";
import { usageError } from "./cli-failure.js";
import type { CommandContext } from "./context.js";

/**
 * True when the person at the keyboard typed y or yes.
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
  prompt.once("SIGINT", () => interrupt.abort());
  prompt.once("close", () => interrupt.abort());
  try {
    const answer = await prompt.question(`${question} [y/N] `, {
      signal: AbortSignal.any([signal, interrupt.signal]),
    });
    return /^y(?:es)?$/i.test(answer.trim());
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
