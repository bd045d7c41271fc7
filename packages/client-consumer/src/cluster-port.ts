// What the consumer needs of a cluster client: `ClusterClient` provides it, tests bring a double.

import type { ClusterClient, MetadataCache } from "@millrace/client-core";

export interface ClusterPort extends Pick<ClusterClient, "runtime" | "request" | "close"> {
  readonly metadata: Pick<MetadataCache, "topic" | "cachedTopic" | "refresh">;
}
