// The options of measurements that produce.

import type { CompressionCodec } from "@millrace/runtime";
import { type Command, Option } from "commander";
import { compressionOption } from "../codec-option.js";
import { type Acks, parseAcks, parseBytes, parseDurationMs, parsePositiveCount } from "../parse.js";

export interface ProducerBenchOptions {
  readonly producers: number;
  readonly acks: Acks;
  readonly batchBytes: number;
  readonly linger: number;
  readonly window: number;
  readonly compression: CompressionCodec;
}

const DEFAULT_BATCH_BYTES = 1024 * 1024;
const DEFAULT_WINDOW_BYTES = 8 * 1024 * 1024;

export function addProducerOptions(command: Command): Command {
  return command
    .option("-P, --producers <n>", "producers, each with its own connection", parsePositiveCount, 1)
    .addOption(
      new Option("--acks <acks>", "0, 1 or all").argParser(parseAcks).default("all" as Acks, "all"),
    )
    .option("--batch-bytes <bytes>", "batch size", parseBytes, DEFAULT_BATCH_BYTES)
    .option("--linger <ms>", "how long a batch waits for more", parseDurationMs, 5)
    .option(
      "--window <bytes>",
      "unacknowledged bytes per producer",
      parseBytes,
      DEFAULT_WINDOW_BYTES,
    )
    .addOption(compressionOption());
}
