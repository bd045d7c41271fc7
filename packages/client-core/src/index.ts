/**
 * What every Millrace client shares: connections to the nodes of a cluster, its metadata, routing, retries.
 * @packageDocumentation
 */

// What clients build with
export {
  AbortSource,
  abortedError,
  linkSignals,
  onAbort,
  throwIfAborted,
  underSignal,
} from "./abort.js";
export { Backoff, type BackoffOptions } from "./backoff.js";
export { parseBootstrap, parseBrokerUrl } from "./bootstrap.js";
// The client
export { ClusterClient } from "./cluster-client.js";
export type { ClusterClientOptions } from "./cluster-client-options.js";
export { errorFromItem } from "./connection-errors.js";
// Metadata
export type { MetadataCache } from "./metadata-cache.js";
export type { Answer, Channel, RequestOptions, Target, WaitOptions } from "./request.js";
export { isWorthRetrying, type RetryOptions } from "./retry.js";
export { unknownTopicError } from "./topic-directory.js";
export type { BrokerMetadata, PartitionMetadata, TopicMetadata } from "./topic-metadata.js";
