// Serves a folder on loopback, with the strictest Content-Security-Policy a page of ours needs.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};

export class StaticServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  /** Where pages may connect: set once the broker's address is known. */
  connectTo = "'none'";

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(folder: string): Promise<StaticServer> {
    let policy = (): string => "";
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://page").pathname;
      const file = join(folder, normalize(path === "/" ? "/index.html" : path));
      readFile(file).then(
        (content) => {
          response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
          response.setHeader("content-security-policy", policy());
          response.end(content);
        },
        () => {
          response.statusCode = 404;
          response.end();
        },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const started = new StaticServer(server);
    // No 'unsafe-eval', no inline scripts, no other host.
    policy = () =>
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src ${started.connectTo}`;
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
