/**
 * Millrace's wire protocol: frames, API schemas, record batches, errors, limits. Pure; runs anywhere.
 * @packageDocumentation
 */

// APIs and their schemas
export {
  type ApiDefinition,
  type ApiName,
  apiName,
  apis,
  type RequestOf,
  type ResponseOf,
} from "./apis.js";
// CBOR
export { type CborLimits, checkCbor } from "./cbor/check.js";
export { decodeCbor, encodeCbor } from "./cbor/codec.js";
// Errors
export {
  type ClientErrorName,
  clientErrors,
  type ErrorName,
  errorCode,
  errorName,
  isMillraceError,
  MillraceError,
  type MillraceErrorOptions,
  ProtocolError,
  type WireErrorName,
  wireErrors,
} from "./errors.js";
// Frames
export {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeErrorResponse,
  encodeRequest,
  encodeResponse,
  errorMessageOf,
  type RequestFrame,
  type ResponseFrame,
} from "./frame.js";
// Vocabulary
export {
  EARLIEST_TIMESTAMP,
  type Flavoured,
  LATEST_TIMESTAMP,
  type LeaderEpoch,
  MAX_TIMESTAMP,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  type NodeId,
  type Offset,
  type ProducerEpoch,
  type ProducerId,
  type TimestampMs,
  type TopicId,
  type TopicPartition,
} from "./ids.js";
// Limits
export {
  CBOR_DEPTH_MAX,
  CBOR_ITEMS_MAX,
  CBOR_KEY_BYTES_MAX,
  CLIENT_ID_LENGTH_MAX,
  FRAME_OVERHEAD_BYTES,
  IN_FLIGHT_BATCHES_MAX,
  LOG_OVERHEAD_BYTES,
  MAX_MESSAGE_BYTES_DEFAULT,
  OFFSET_LOOKUPS_MAX,
  PRE_HELLO_FRAME_BYTES_MAX,
  RECORD_BATCH_HEADER_BYTES,
  TOPIC_NAME_LENGTH_MAX,
} from "./limits.js";
// Partitioning and names
export { murmur2, partitionForKey } from "./murmur2.js";
// Record batches
export { RecordBatchBuilder } from "./record-batch/builder.js";
export {
  type CompactedRecords,
  compactedBatch,
  deleteHorizonMs,
  emptiedBatch,
  rebaseTimestamps,
} from "./record-batch/compacted-batch.js";
export {
  decodeRecords,
  type HeadersPlace,
  type ReadBatchOptions,
  RecordBatch,
  readBatch,
  readRecordHeaders,
} from "./record-batch/decode.js";
export {
  type BatchAt,
  type BatchHeader,
  batchHeaders,
  readBatchHeader,
  type TimestampType,
} from "./record-batch/header.js";
export type { BuildOptions } from "./record-batch/header-writer.js";
export {
  computeBatchCrc,
  isBatchCrcValid,
  type ProducerFields,
  patchBatchPosition,
  patchLogAppendTime,
  rewriteProducer,
} from "./record-batch/patch.js";
export type { DecodedRecord, RecordHeader, RecordInput } from "./record-batch/record.js";
export { RecordWalker } from "./record-batch/record-walker.js";
export {
  type ProducedBatchLimits,
  validateDecompressed,
  validateProducedBatch,
} from "./record-batch/validate.js";
// Schemas
export {
  array,
  boolean,
  bytes,
  type Infer,
  integer,
  map,
  nullable,
  oneOf,
  optional,
  type Schema,
  type SchemaNode,
  text,
  textMap,
  tuple,
  uuid,
} from "./schema.js";
export { topicNameProblem } from "./topic-name.js";
export { uuidFromBytes, uuidToBytes } from "./uuid.js";
