// Where consumed records go: to standard output.

import type { ConsumerRecord } from "@millrace/client-consumer";
import type { CommandContext } from "../context.js";
import type { RecordFormat } from "../format/record-template.js";

/** Takes the records of one batch after the other. */
export interface RecordSink {
  write(records: Iterable<ConsumerRecord>): Promise<void>;
  close(): Promise<void>;
}

/** Text collected before it is written, so that a fast topic is not one write per record. */
const WRITE_CHARACTERS = 64 * 1024;

/** Prints as records arrive; waits while the reader of a pipe does. */
export function createPrinter(context: CommandContext, format: RecordFormat): RecordSink {
  const { terminal } = context;
  return {
    async write(records) {
      let text = "";
      for (const record of records) {
        text += format.print(record);
        if (text.length >= WRITE_CHARACTERS) {
          await terminal.write(text, format.encoding);
          text = "";
        }
      }
      if (text !== "") {
        await terminal.write(text, format.encoding);
      }
    },
    close: () => Promise.resolve(),
  };
}
