// Every bound of the protocol, with its default.

/** Until a connection has said hello. */
export const PRE_HELLO_FRAME_BYTES_MAX = 16 * 1024;
/** Room in a frame beside one record batch of the largest allowed size. */
export const FRAME_OVERHEAD_BYTES = 64 * 1024;
/** Default of `max.message.bytes`: 1 MiB and Kafka's 12 bytes. */
export const MAX_MESSAGE_BYTES_DEFAULT = 1024 * 1024 + 12;
/** Nesting of a CBOR item, the envelope included. */
export const CBOR_DEPTH_MAX = 12;
/** Items (keys, values, elements) in one frame. */
export const CBOR_ITEMS_MAX = 1_000_000;
/** UTF-8 bytes of a map's key. */
export const CBOR_KEY_BYTES_MAX = 1024;
export const TOPIC_NAME_LENGTH_MAX = 249;
export const CLIENT_ID_LENGTH_MAX = 249;
/** Per producer and partition (Kafka's max.in.flight.requests.per.connection bound for idempotence). */
export const IN_FLIGHT_BATCHES_MAX = 5;
/** RecordBatch v2 header, up to and including the record count. */
export const RECORD_BATCH_HEADER_BYTES = 61;
/** Base offset and batch length, which the batch length does not count. */
export const LOG_OVERHEAD_BYTES = 12;
/** Look-ups by timestamp in one `listOffsets`: each may read from the disk. Clients with more ask several times. */
export const OFFSET_LOOKUPS_MAX = 10_000;
