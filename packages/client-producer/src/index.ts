/**
 * The Millrace producer: batches, sends, retries, and never stores a record twice.
 * @packageDocumentation
 */
export type { ClusterPort } from "./cluster-port.js";
export { isDefinite } from "./delivery-errors.js";
export type { Partitioner, PartitionerOption } from "./partitioner.js";
export {
  type CloseOptions,
  Producer,
  type ProducerConstructorOptions,
  type SendOptions,
} from "./producer.js";
export type { ProducerConfig, ProducerOptions } from "./producer-config.js";
export type { ProducerMetrics } from "./producer-metrics.js";
export type { ProducerRecord, RecordMetadata } from "./producer-record.js";
export type { SentRecords } from "./sent-records.js";
