/**
 * Millrace for applications in browsers and workers: producers, consumers, admin. The same names as `index.ts`.
 * @packageDocumentation
 */

// First of all: the classes below use the symbol that this defines.
import "./async-dispose.js";

// Admin
export {
  Admin,
  type AdminOptions,
  type BrokerDescription,
  type CallOptions,
  type ClusterDescription,
  type ConfigChange,
  type ConfigDescription,
  type ConfigEntry,
  type ConfigResource,
  type ConfigValue,
  type CreatedTopic,
  type CreateTopicsOptions,
  type DeletedRecords,
  type DeletedTopic,
  type ItemResult,
  type NewTopic,
  type OffsetSpec,
  type PartitionDescription,
  type PartitionOffset,
  type RecordDeletion,
  type ResourceChange,
  type TopicConfigEntry,
  type TopicDescription,
  type TopicListing,
  type TopicSettings,
} from "@millrace/client-admin";
// Consumer
export {
  type AssignedPartition,
  Consumer,
  ConsumerBatch,
  type ConsumerOptions,
  ConsumerRecord,
  type IterationOptions,
  type PartitionLag,
  type PartitionOffset as PartitionPosition,
  type RecordHandler,
  type RunOptions,
  type StartPosition,
} from "@millrace/client-consumer";
// Producer
export {
  type CloseOptions,
  isDefinite,
  type Partitioner,
  type PartitionerOption,
  Producer,
  type ProducerMetrics,
  type ProducerOptions,
  type ProducerRecord,
  type RecordMetadata,
  type SendOptions,
  type SentRecords,
} from "@millrace/client-producer";
// Errors and records
export {
  type ErrorName,
  isMillraceError,
  MillraceError,
  type RecordHeader,
  type TopicPartition,
} from "@millrace/protocol";
// What the client takes from its platform
export type { AbortSignalLike, ClientRuntime, CompressionCodec, Logger } from "@millrace/runtime";
// The client
export { Millrace } from "./browser-millrace.js";
export type { MillraceOptions } from "./client.js";
// Topics with types
export {
  bytes,
  InvalidDataError,
  json,
  nullable,
  type Serde,
  type SerdeLike,
  text,
} from "./typed/serde.js";
export type { Issue, StandardSchema } from "./typed/standard-schema.js";
export type { Topic, TopicTypes } from "./typed/topic.js";
export type { OnInvalid, TypedConsumer, TypedConsumerOptions } from "./typed/typed-consumer.js";
export type { TypedProducer } from "./typed/typed-producer.js";
export type { TypedProducerRecord, TypedRecord } from "./typed/typed-record.js";
