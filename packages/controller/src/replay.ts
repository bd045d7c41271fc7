// Between records and the log: a command's records become one RecordBatch (atomic: all of it is in the log or
// none), and batches read back are applied to the image, in order. Pure.

import {
  batchHeaders,
  decodeRecords,
  isBatchCrcValid,
  ProtocolError,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatchBuilder,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { applyRecord } from "./apply.js";
import type { MutableMetadataImage } from "./metadata-image.js";
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from "./metadata-record.js";

/** The records as one batch. `timestampMs`: when they were decided. */
export function encodeMetadataBatch(
  records: readonly MetadataRecord[],
  timestampMs: number,
  compute: Compute,
): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const record of records) {
    builder.append({ key: null, value: encodeMetadataRecord(record), timestamp: timestampMs });
  }
  return builder.build({ compute });
}

/**
 * Applies every record of the batches, which stand back to back, and returns them.
 * @throws ProtocolError `CORRUPT_MESSAGE` or `UNSUPPORTED_VERSION`; the image is then not to be used any more.
 */
export function replayBatches(
  image: MutableMetadataImage,
  bytes: Uint8Array,
  compute: Compute,
): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  for (const { position, header } of batchHeaders(bytes)) {
    if (!isBatchCrcValid(bytes, position, compute) || header.codec !== "none") {
      throw new ProtocolError(
        "CORRUPT_MESSAGE",
        `the metadata log is damaged at offset ${header.baseOffset}`,
      );
    }
    const payload = bytes.subarray(
      position + RECORD_BATCH_HEADER_BYTES,
      position + header.sizeBytes,
    );
    for (const { value } of decodeRecords(header, payload)) {
      const record = decodeMetadataRecord(value ?? new Uint8Array(0));
      applyRecord(image, record);
      records.push(record);
    }
  }
  return records;
}
