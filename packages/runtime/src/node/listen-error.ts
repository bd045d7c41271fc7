// Binding a server to its address, with errors in the port's words.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ListenError } from "../network.js";
import { errnoOf } from "./file-errors.js";

const codes: Readonly<Record<string, ListenError["code"]>> = {
  EADDRINUSE: "ADDRESS_IN_USE",
  EADDRNOTAVAIL: "ADDRESS_NOT_AVAILABLE",
  ENOTFOUND: "ADDRESS_NOT_AVAILABLE",
  EACCES: "PERMISSION_DENIED",
};

/** Resolves with the address once the server listens. @throws ListenError */
export function bind(
  server: Server,
  address: { host: string; port: number },
): Promise<AddressInfo> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => {
      const code = codes[errnoOf(error) ?? ""] ?? "OTHER";
      reject(
        new ListenError(code, `cannot listen on ${host}:${port}: ${error.message}`, {
          cause: error,
        }),
      );
    };
    server.once("error", onError);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError);
      // Accepting may fail for a moment (too many open files): it goes on with the next connection.
      server.on("error", () => {});
      const bound = server.address();
      resolve(
        typeof bound === "object" && bound !== null
          ? bound
          : { address: host, port, family: "IPv4" },
      );
    });
  });
}
