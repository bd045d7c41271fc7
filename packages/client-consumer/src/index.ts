/**
 * The Millrace consumer: an async iterable of records.
 * @packageDocumentation
 */
export type { ClusterPort } from "./cluster-port.js";
export {
  Consumer,
  type ConsumerConstructorOptions,
  type PartitionLag,
  type PartitionOffset,
} from "./consumer.js";
export { ConsumerBatch } from "./consumer-batch.js";
export type { AssignedPartition, ConsumerOptions } from "./consumer-config.js";
export { ConsumerRecord } from "./consumer-record.js";
export type { IterationOptions } from "./delivery.js";
export type { StartPosition } from "./partition-state.js";
export type { RecordHandler, RunOptions } from "./run.js";
