// A topic's configuration as operators see it: every key with its value, and where that comes from.

import { topicConfig } from "@millrace/controller";
import { type TopicConfigKeyName, topicConfigKeys } from "@millrace/storage";
import type { BrokerServices } from "./handlers/handler.js";

export interface ConfigValue {
  readonly key: TopicConfigKeyName;
  readonly value: string;
  /** The topic itself, this broker's defaults, or Millrace's. */
  readonly source: "topic" | "broker" | "default";
  readonly documentation: string;
}

export function topicConfigValues(
  broker: Pick<BrokerServices, "controller" | "config">,
  topic: string,
): ConfigValue[] {
  const own = topicConfig(broker.controller.image, topic);
  const defaults = broker.config.topicDefaults;
  return Object.entries(topicConfigKeys).map(([name, definition]) => {
    const key = name as TopicConfigKeyName;
    const { documentation } = definition;
    const ownValue = own.get(key);
    if (ownValue !== undefined) {
      return { key, value: ownValue, source: "topic", documentation };
    }
    const brokerValue = defaults[key];
    return brokerValue === undefined
      ? { key, value: definition.default, source: "default", documentation }
      : { key, value: brokerValue, source: "broker", documentation };
  });
}
