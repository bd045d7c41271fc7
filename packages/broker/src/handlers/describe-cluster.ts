// The cluster as a whole.

import type { Handler } from "./handler.js";
import { brokerEntries } from "./metadata.js";

export const describeCluster: Handler<"describeCluster"> = (broker, _request, call) => {
  const { image } = broker.controller;
  return {
    body: {
      clusterId: broker.clusterId,
      controllerId: broker.controller.nodeId,
      brokers: brokerEntries(broker, call),
      nodeId: broker.nodeId,
      softwareVersion: broker.softwareVersion,
      topicCount: image.topicsById.size,
      partitionCount: image.partitionCount,
      voters: [
        {
          nodeId: broker.controller.nodeId,
          url: broker.advertisedUrl(call.connection.host),
        },
      ],
    },
  };
};
