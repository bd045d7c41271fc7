// `--compression`: what this platform's codecs are, it says itself.

import type { CompressionCodec } from "@millrace/runtime";
import { nodeCompute } from "@millrace/runtime/node";
import { Option } from "commander";

export function compressionOption(): Option {
  return new Option("--compression <codec>", "compress batches")
    .choices([...nodeCompute.codecs])
    .default("none" satisfies CompressionCodec);
}
