// The first request of a connection: who both sides are, which APIs there are, and what the connection may
// have outstanding.

import { apis, MillraceError } from "@millrace/protocol";
import type { Handler } from "./handler.js";

export const hello: Handler<"hello"> = (broker, request, call) => {
  if (request.clusterId !== null && request.clusterId !== broker.clusterId) {
    throw new MillraceError(
      "INCONSISTENT_CLUSTER_ID",
      `this is cluster ${broker.clusterId}, not the one expected`,
    );
  }
  call.connection.introduce({
    clientId: request.clientId,
    software: `${request.software} ${request.softwareVersion}`,
  });
  return {
    body: {
      software: "millrace",
      softwareVersion: broker.softwareVersion,
      clusterId: broker.clusterId,
      nodeId: broker.nodeId,
      apis: Object.values(apis).map(({ key, minVersion, maxVersion }) => ({
        apiKey: key,
        minVersion,
        maxVersion,
      })),
      limits: {
        maxFrameBytes: broker.maxFrameBytes(),
        maxInFlightRequests: broker.config.maxInFlightRequests,
        maxInFlightBytes: broker.config.maxInFlightBytes,
        idleTimeoutMs: broker.config.idleTimeoutMs,
      },
      authMechanisms: [],
      authenticationRequired: false,
    },
  };
};
