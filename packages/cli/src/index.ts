/**
 * The `millrace` command as a library: the command tree and the exit codes. Most people want the binary.
 * @packageDocumentation
 */
export { CliError, describeError, type ErrorDescription } from "./cli-error.js";
export type { CommandContext } from "./context.js";
export { type ExitCode, exitCodes } from "./exit-codes.js";
export { createProgram } from "./program.js";
export { type Colors, type OutputStream, Terminal, type TerminalStreams } from "./terminal.js";
