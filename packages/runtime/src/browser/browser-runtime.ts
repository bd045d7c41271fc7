// The client's half of the seam, on what every current browser has.

import { createConsoleLogger } from "../console-logger.js";
import { silentDiagnostics } from "../diagnostics.js";
import type { Logger, LogLevel } from "../logger.js";
import type { ClientRuntime } from "../runtime.js";
import { createBrowserClock } from "./browser-clock.js";
import { createBrowserCompute } from "./browser-compute.js";
import { BrowserNetwork } from "./browser-network.js";
import { createBrowserRandom } from "./browser-random.js";
import type { WebSocketClass } from "./web-socket-like.js";

export interface BrowserRuntimeOptions {
  /** Default: warnings and worse on the console. */
  readonly logger?: Logger;
  /** A class to use instead of the platform's `WebSocket`. */
  readonly webSocket?: WebSocketClass;
}

function writeToConsole(line: string, level: LogLevel): void {
  if (level === "error" || level === "fatal") {
    console.error(line);
  } else {
    console.warn(line);
  }
}

export function createBrowserRuntime(options: BrowserRuntimeOptions = {}): ClientRuntime {
  const { logger, webSocket } = options;
  const clock = createBrowserClock();
  return {
    clock,
    random: createBrowserRandom(),
    network: new BrowserNetwork(webSocket === undefined ? { clock } : { clock, webSocket }),
    compute: createBrowserCompute(),
    logger: logger ?? createConsoleLogger({ level: "warn", format: "text", write: writeToConsole }),
    diagnostics: silentDiagnostics,
  };
}
