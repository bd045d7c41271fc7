// Commands about several things: tells every failure, and ends with the first one's exit code.

import type { ItemResult } from "@millrace/client-admin";
import { describeError } from "./cli-error.js";
import type { CommandContext } from "./context.js";

/** The first failure is thrown, and told by whoever runs the command; the others are told here. */
export function throwFirstFailure<Value>(
  context: CommandContext,
  results: readonly ItemResult<Value>[],
): void {
  const errors = results.flatMap((item) => (item.ok ? [] : [item.error]));
  for (const error of errors.slice(1)) {
    const { terminal } = context;
    terminal.note(`${terminal.noteColors.red("error:")} ${describeError(error).message}`);
  }
  if (errors[0] !== undefined) {
    throw errors[0];
  }
}
