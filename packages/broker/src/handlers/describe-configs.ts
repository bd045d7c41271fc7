// Reading configurations: of topics (changeable) and of this broker (from its start, read only).

import {
  errorCode,
  MillraceError,
  type RequestOf,
  type ResponseOf,
  type WireErrorName,
} from "@millrace/protocol";
import { brokerConfigKeys } from "../broker-config.js";
import { topicConfigValues } from "../topic-config-values.js";
import type { BrokerServices, Handler } from "./handler.js";

type Resource = RequestOf<"describeConfigs">["resources"][number];
type Described = ResponseOf<"describeConfigs">["resources"][number];
type Entry = Described["entries"][number];

export const describeConfigs: Handler<"describeConfigs"> = (broker, request) => {
  const names = new Set(request.resources.map(({ type, name }) => `${type} ${name}`));
  if (names.size < request.resources.length) {
    throw new MillraceError("INVALID_REQUEST", "a resource stands twice in the request");
  }
  return { body: { resources: request.resources.map((resource) => describe(broker, resource)) } };
};

function describe(broker: BrokerServices, resource: Resource): Described {
  const { type, name } = resource;
  switch (type) {
    case "topic":
      return broker.controller.image.topicsByName.has(name)
        ? answer(resource, topicEntries(broker, name))
        : refuse(resource, "UNKNOWN_TOPIC_OR_PARTITION", "no topic of this name");
    case "broker":
      return name === "" || name === String(broker.nodeId)
        ? answer(resource, brokerEntries(broker))
        : refuse(resource, "INVALID_REQUEST", `this is node ${broker.nodeId}; ask the node itself`);
    case "cluster":
      return name === ""
        ? answer(resource, [])
        : refuse(resource, "INVALID_REQUEST", 'the cluster has the name ""');
  }
}

function topicEntries(broker: BrokerServices, name: string): Entry[] {
  return topicConfigValues(broker, name).map(({ key, value, source, documentation }) => ({
    key,
    value,
    source,
    isReadOnly: false,
    isSensitive: false,
    documentation,
  }));
}

function brokerEntries({ config }: BrokerServices): Entry[] {
  return Object.entries(brokerConfigKeys).map(([key, definition]) => {
    const given = config.entries[key];
    return {
      key,
      value: given ?? String(definition.default),
      source: given === undefined ? "default" : "broker",
      isReadOnly: true,
      isSensitive: false,
      documentation: definition.documentation,
    };
  });
}

function answer({ type, name, keys }: Resource, entries: readonly Entry[]): Described {
  return {
    type,
    name,
    errorCode: 0,
    errorMessage: null,
    entries: keys === null ? entries : entries.filter((entry) => keys.includes(entry.key)),
  };
}

function refuse({ type, name }: Resource, error: WireErrorName, errorMessage: string): Described {
  return { type, name, errorCode: errorCode(error), errorMessage, entries: [] };
}
