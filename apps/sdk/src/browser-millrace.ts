// The client in browsers and workers.

import { createBrowserRuntime } from "@millrace/runtime/browser";
import { Client, type MillraceOptions } from "./client.js";

/**
 * A client of one cluster. Connects when it is first used and reconnects for as long as it lives.
 * `new Millrace("ws://127.0.0.1:9092")`
 */
export class Millrace extends Client {
  /** @throws MillraceError `INVALID_ARGUMENT`, `INVALID_CONFIG_VALUE` */
  constructor(options: string | readonly string[] | MillraceOptions) {
    super(options, (logger) => createBrowserRuntime(logger === undefined ? {} : { logger }));
  }
}
