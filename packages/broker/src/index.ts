/**
 * A Millrace broker: partitions as their leader, the request handlers, the listener and its limits.
 * @packageDocumentation
 */
export { Broker, type BrokerOptions } from "./broker.js";
export {
  type BrokerConfig,
  type BrokerConfigKey,
  type BrokerConfigKeyName,
  brokerConfigKeys,
  isBrokerConfigKey,
  parseBrokerConfig,
  topicDefaultKeys,
} from "./broker-config.js";
export type { BrokerStatus, Health } from "./health.js";
export { BrokerListener, type BrokerListenerOptions } from "./listener.js";
export {
  allowedOriginProblem,
  isLoopbackHost,
  type OriginPolicy,
  originProblem,
} from "./origin.js";
