// What every command is given: the terminal, the environment, the defaults, and the signal that Ctrl-C raises.

import type { Terminal } from "./terminal.js";

export interface DefaultBootstrap {
  readonly url: string;
  /** Where it comes from, for `--help`. */
  readonly source: string;
  /** Named for this command (environment, `--profile`), not by a profile chosen long ago. */
  readonly isDeliberate: boolean;
}

/** What options say when they are not given: from the profile, see profile.ts. */
export interface CommandDefaults {
  readonly bootstrap?: DefaultBootstrap | undefined;
  /** `--json` without being asked. */
  readonly json?: boolean | undefined;
}

export interface CommandContext {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly defaults: CommandDefaults;
  /** Aborted by the first Ctrl-C or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal;
  /** A command sets this when it ran through but the answer is "no" (damage found). */
  exitCode: number;
}
