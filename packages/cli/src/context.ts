// What every command is given: the terminal, the environment, and the signal that Ctrl-C raises.

import type { Terminal } from "./terminal.js";

export interface CommandContext {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal;
  /** A command sets this when it ran through but the answer is "no" (damage found). */
  exitCode: number;
}
