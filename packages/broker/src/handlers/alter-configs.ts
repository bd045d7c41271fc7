// Changing configurations; what may be changed is the controller's decision.

import { type Handler, wireResult } from "./handler.js";

export const alterConfigs: Handler<"alterConfigs"> = async (broker, request) => {
  const altered = await broker.controller.submit("alterConfigs", request);
  return {
    body: {
      resources: altered.map((resource) => ({
        type: resource.type,
        name: resource.name,
        ...wireResult(resource),
      })),
    },
  };
};
