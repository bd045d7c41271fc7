// Typing records: each line is acknowledged before the next prompt; an error is told and the conversation goes on.

import { createInterface } from "node:readline";
import type { Producer, ProducerRecord, RecordMetadata } from "@millrace/client-producer";
import { describeError } from "../cli-error.js";
import type { CommandContext } from "../context.js";

export const placeOf = (metadata: RecordMetadata): string =>
  metadata.offset < 0 ? `${metadata.partition}` : `${metadata.partition}@${metadata.offset}`;

/** Ends with `exit`, Ctrl-D or Ctrl-C, with exit code 0: all of them are how one leaves a conversation. */
export async function produceInteractively(
  context: CommandContext,
  producer: Producer,
  toRecord: (line: Buffer) => ProducerRecord,
): Promise<void> {
  const { terminal, signal } = context;
  const { noteColors } = terminal;
  const { stdin, stderr } = terminal.streams;
  terminal.note(
    noteColors.dim("Each line is a record, answered by partition@offset. `exit` ends."),
  );
  const prompt = createInterface({
    input: stdin,
    output: stderr,
    prompt: noteColors.bold("> "),
    terminal: true,
    historySize: 100,
  });
  let isExit = false;
  const close = (): void => prompt.close();
  signal.addEventListener("abort", close, { once: true });
  // readline takes Ctrl-C for itself while it reads.
  prompt.on("SIGINT", close);
  prompt.prompt();
  for await (const line of prompt) {
    if (line.trim() === "exit") {
      isExit = true;
      break;
    }
    if (line !== "") {
      await acknowledge(context, () => producer.send(toRecord(Buffer.from(line)), { signal }));
    }
    prompt.prompt();
  }
  prompt.close();
  signal.removeEventListener("abort", close);
  // After Ctrl-D or Ctrl-C the cursor stands behind the prompt.
  stderr.write(isExit ? "" : "\n");
}

async function acknowledge(
  context: CommandContext,
  send: () => Promise<RecordMetadata>,
): Promise<void> {
  const { noteColors } = context.terminal;
  try {
    const metadata = await send();
    const note = metadata.fsynced ? "" : " (not synced)";
    context.terminal.note(`  ${noteColors.green("✓")} ${placeOf(metadata)}${noteColors.dim(note)}`);
  } catch (error) {
    const { message, hint } = describeError(error);
    context.terminal.note(
      `  ${noteColors.red("✗")} ${message}${hint === undefined ? "" : ` ${hint}`}`,
    );
  }
}
