// The version of this software, from its package.

import { createRequire } from "node:module";

/** What brokers and `--version` report. */
export function softwareVersion(): string {
  const manifest = createRequire(import.meta.url)("../package.json") as { version: string };
  return manifest.version;
}
