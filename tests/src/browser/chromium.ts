// A headless Chromium: where it is, how it starts, and what its pages complain about.

import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const candidates = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Names of pages that all lead to this machine: their origins are not loopback's, though. */
export const ownHost = "app.example";
export const foreignHost = "foreign.example";

export function findChromium(): string | undefined {
  return candidates.find((path) => path !== undefined && existsSync(path));
}

export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error("no Chromium here: install it, or set CHROMIUM_PATH");
  }
  return await chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${ownHost} 127.0.0.1, MAP ${foreignHost} 127.0.0.1`,
    ],
  });
}

/** What a browser prints by itself when a WebSocket cannot be opened; no page can prevent it. */
const failedConnection = /^WebSocket connection to 'ws:\/\/[^']+' failed/;

/** Errors that a page printed or threw. Failed connections count only where none is expected. */
export class Complaints {
  readonly #all: string[] = [];
  #mayFailToConnect = false;

  constructor(page: Page) {
    page.on("console", (message) => {
      if (message.type() === "error") {
        this.#add(message.text());
      }
    });
    page.on("pageerror", (error) => this.#add(`uncaught: ${String(error)}`));
  }

  get all(): readonly string[] {
    return this.#all;
  }

  /** From now on the broker is away, or the page is not welcome. */
  expectFailedConnections(expected: boolean): void {
    this.#mayFailToConnect = expected;
  }

  #add(text: string): void {
    if (!(this.#mayFailToConnect && failedConnection.test(text))) {
      this.#all.push(text);
    }
  }
}
