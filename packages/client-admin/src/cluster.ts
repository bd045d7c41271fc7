// The cluster as a whole.

import type { NodeId } from "@millrace/protocol";
import { type AdminContext, type CallOptions, call } from "./item-outcomes.js";

/** One broker, as the cluster knows it. */
export interface BrokerDescription {
  readonly nodeId: NodeId;
  /** Where clients reach it. */
  readonly url: string;
  readonly rack: string | null;
}

/** The cluster as the node that answered sees it. */
export interface ClusterDescription {
  readonly clusterId: string;
  /** -1: none at the moment. */
  readonly controllerId: NodeId;
  readonly brokers: readonly BrokerDescription[];
  /** The node that answered. */
  readonly nodeId: NodeId;
  readonly softwareVersion: string;
  readonly topicCount: number;
  readonly partitionCount: number;
  /** The members of the controller quorum. */
  readonly voters: readonly { readonly nodeId: NodeId; readonly url: string | null }[];
}

export function describeCluster(
  context: AdminContext,
  options: CallOptions,
): Promise<ClusterDescription> {
  return call(context, options, async (attempt) => {
    const answer = await context.client.request("any", "describeCluster", {}, attempt);
    return answer.body;
  });
}
