// The cluster as a whole.

import { array, map, optional, text, tuple } from "../schema.js";
import { brokerEntry, count, int32, nullable } from "./fields.js";

export const describeClusterRequest = map({});

export const describeClusterResponse = map({
  clusterId: text(249),
  controllerId: int32,
  brokers: array(brokerEntry),
  /** Of the node that answers. */
  nodeId: int32,
  softwareVersion: text(249),
  topicCount: count,
  partitionCount: count,
  /** `[voterId]` of the controller quorum. */
  voters: optional(array(tuple({ nodeId: int32, url: nullable(text(2048)) })), []),
});
