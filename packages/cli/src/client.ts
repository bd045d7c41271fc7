// How a command gets to a broker: the Node runtime, one cluster client, a first answer (so that a missing broker
// is told at once, not after many retries), and an orderly end.

import { ClusterClient } from "@millrace/client-core";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import type { CommandContext } from "./context.js";

/** Dialing and the first answer together. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Connects, runs `use`, and closes the client, whatever happens. */
export async function withClient<Result>(
  context: CommandContext,
  bootstrap: string,
  use: (client: ClusterClient) => Promise<Result>,
): Promise<Result> {
  const client = new ClusterClient({
    runtime: createNodeRuntime({ logger: silentLogger }),
    bootstrap,
    clientId: "millrace-cli",
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  try {
    await client.request(
      "any",
      "describeCluster",
      {},
      {
        timeoutMs: CONNECT_TIMEOUT_MS,
        signal: context.signal,
      },
    );
    return await use(client);
  } finally {
    await client.close();
  }
}
