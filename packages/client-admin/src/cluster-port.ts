// What the admin needs of a cluster client: `ClusterClient` provides it, tests bring a double.

import type { ClusterClient, MetadataCache } from "@millrace/client-core";

export interface ClusterPort
  extends Pick<ClusterClient, "request" | "retry" | "requestTimeoutMs" | "close"> {
  readonly metadata: Pick<MetadataCache, "topic" | "invalidate" | "refresh">;
}
