/**
 * Cluster metadata as a replicated state machine: records, the image they make, the commands that decide
 * them, and the controller that commits them.
 * @packageDocumentation
 */
export type {
  AllocateProducerIdsRequest,
  ProducerIdBlock,
} from "./commands/allocate-producer-ids.js";
export type {
  AlterConfigsRequest,
  AlteredResource,
  ConfigOperation,
} from "./commands/alter-configs.js";
export type {
  CommandContext,
  CommandOutcome,
  ItemResult,
  TopicPolicy,
} from "./commands/command.js";
export type { CreatePartitionsRequest, ExtendedTopic } from "./commands/create-partitions.js";
export type { CreatedTopic, CreateTopicsRequest, NewTopic } from "./commands/create-topics.js";
export type { DeletedTopic, DeleteTopicsRequest } from "./commands/delete-topics.js";
export type { CommandName, CommandRequest, CommandResponse } from "./commands/index.js";
export type { RegisterBrokerRequest, RegisterBrokerResponse } from "./commands/register-broker.js";
export {
  Controller,
  type ControllerOptions,
  type ControllerRuntime,
  type MetadataListener,
} from "./controller.js";
export {
  type BrokerImage,
  type MetadataImage,
  type PartitionImage,
  type TopicImage,
  topicConfig,
} from "./metadata-image.js";
export {
  type ConfigResourceType,
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
  type MetadataRecordKind,
} from "./metadata-record.js";
export { METADATA_TOPIC, METADATA_TOPIC_ID } from "./metadata-topic.js";
