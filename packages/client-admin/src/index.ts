/**
 * The admin client: topics, configurations, offsets, the cluster.
 * @packageDocumentation
 */
export { Admin, type AdminConstructorOptions, type AdminOptions } from "./admin.js";
// Cluster
export type { BrokerDescription, ClusterDescription } from "./cluster.js";
export type { ClusterPort } from "./cluster-port.js";
// Configurations
export type {
  ConfigChange,
  ConfigDescription,
  ConfigEntry,
  ConfigResource,
  ResourceChange,
} from "./configs.js";
// Calls
export type { CallOptions, ItemResult } from "./item-outcomes.js";
// Offsets
export type {
  DeletedRecords,
  OffsetSpec,
  PartitionOffset,
  RecordDeletion,
} from "./partition-offsets.js";
// Topics
export type {
  ConfigValue,
  CreatedTopic,
  CreateTopicsOptions,
  DeletedTopic,
  NewTopic,
  PartitionDescription,
  TopicConfigEntry,
  TopicDescription,
  TopicListing,
  TopicSettings,
} from "./topics.js";
