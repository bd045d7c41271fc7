// A server as the foreground of a process: starts it, says on standard output that it listens (`--json`), waits
// for a signal or a failure, stops it, and gives the exit code. The caller exits.

import { readFile } from "node:fs/promises";
import { MillraceError } from "@millrace/protocol";
import { type ServerExitCode, serverExitCodeOf, serverExitCodes } from "./exit-codes.js";
import { createPinoLogger } from "./pino-logger.js";
import { startServer } from "./server.js";
import type { ServerSettings } from "./server-options.js";
import { mergeSettings } from "./server-settings.js";

export interface RunServerOptions {
  /** By option name, as commander leaves them; `configFile` is the path given with `--config`. */
  readonly flags: Readonly<Partial<Record<keyof ServerSettings, unknown>>> & {
    readonly configFile?: string;
    readonly json?: boolean;
  };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly writeOutput: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** Calls back with each SIGINT or SIGTERM; returns the way to stop listening. */
  readonly onSignal: (callback: (signal: string) => void) => () => void;
  /** Ends the process at once: a second signal. */
  readonly exitNow: (code: ServerExitCode) => void;
}

/** Runs until the server stops. Never rejects: a failure is written and becomes an exit code. */
export async function runServer(options: RunServerOptions): Promise<ServerExitCode> {
  try {
    return await serve(options);
  } catch (error) {
    options.writeError(`millrace: ${describe(error)}\n`);
    return serverExitCodeOf(error);
  }
}

async function serve(options: RunServerOptions): Promise<ServerExitCode> {
  const settings = mergeSettings({
    file: await configFile(options.flags.configFile ?? options.environment["MILLRACE_CONFIG_FILE"]),
    environment: withoutConfigFile(options.environment),
    flags: options.flags,
  });
  const logger = createPinoLogger({
    ...(settings.logLevel === undefined ? {} : { level: settings.logLevel }),
    ...(settings.logFormat === undefined ? {} : { format: settings.logFormat }),
  });
  const stop = awaitSignal(options);
  try {
    const server = await startServer({ ...settings, logger });
    if (options.flags.json === true) {
      const { url, host, port, clusterId, nodeId, dataDirectory } = server;
      const event = { event: "listening", url, host, port, clusterId, nodeId, dataDirectory };
      options.writeOutput(`${JSON.stringify({ ...event, pid: process.pid })}\n`);
    }
    const ended = await Promise.race([stop.signalled, server.failed]);
    if (ended instanceof Error) {
      throw ended;
    }
    logger.info({ signal: ended }, "stopping");
    await server.stop();
    logger.info({}, "stopped");
    return serverExitCodes.OK;
  } finally {
    stop.unsubscribe();
  }
}

async function configFile(
  path: string | undefined,
): Promise<{ path: string; content: string } | undefined> {
  if (path === undefined || path === "") {
    return undefined;
  }
  try {
    return { path, content: await readFile(path, "utf8") };
  } catch (error) {
    throw new MillraceError("INVALID_CONFIG_VALUE", `--config: ${path} cannot be read`, {
      cause: error,
    });
  }
}

/** `MILLRACE_CONFIG_FILE` is not a broker key. */
function withoutConfigFile(
  environment: RunServerOptions["environment"],
): RunServerOptions["environment"] {
  const { MILLRACE_CONFIG_FILE: _path, ...rest } = environment;
  return rest;
}

/** The first signal asks to stop; the second ends the process at once. */
function awaitSignal({ onSignal, exitNow }: RunServerOptions): {
  signalled: Promise<string>;
  unsubscribe: () => void;
} {
  let unsubscribe = (): void => {};
  const signalled = new Promise<string>((resolve) => {
    let count = 0;
    unsubscribe = onSignal((signal) => {
      count += 1;
      if (count > 1) {
        exitNow(serverExitCodes.INTERRUPTED);
      }
      resolve(signal);
    });
  });
  return { signalled, unsubscribe };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const code = "code" in error ? `${String(error.code)}: ` : "";
  return error.message.startsWith(code) ? error.message.slice(code.length) : error.message;
}
