// The records of the metadata log: what kinds there are, their fields, and their bytes. A record is CBOR
// `[type, version, body]`, the value of one record in a batch; type numbers are Kafka's where Kafka has the
// record. What a record changes is in apply.ts.

import {
  array,
  boolean,
  decodeCbor,
  encodeCbor,
  type Infer,
  integer,
  map,
  nullable,
  oneOf,
  optional,
  ProtocolError,
  type Schema,
  text,
  uuid,
} from "@millrace/protocol";

const int32 = integer(-0x80000000, 0x7fffffff);
const count = integer(0, 0x7fffffff);
const epoch = integer(0, 0x7fffffff);

interface RecordKind<Body> {
  readonly type: number;
  /** The version written; older ones are read. */
  readonly version: number;
  readonly body: Schema<Body>;
}

const kind = <Body>(type: number, body: Schema<Body>): RecordKind<Body> => ({
  type,
  version: 0,
  body,
});

export const configResource = oneOf("topic", "broker", "cluster");
export type ConfigResourceType = Infer<typeof configResource>;

/** Every kind of metadata record. A new optional field needs no new version; a changed meaning does. */
export const recordKinds = {
  /** A broker started: a new incarnation of its node id. */
  registerBroker: kind(
    0,
    map({
      nodeId: int32,
      /** Drawn at every start, so that two incarnations never pass for one. */
      incarnationId: uuid,
      /** Of the data directory: a wiped disk comes back with another one. */
      directoryId: uuid,
      brokerEpoch: integer(),
      url: nullable(text(2048)),
      rack: nullable(text(249)),
      softwareVersion: text(249),
    }),
  ),
  topic: kind(2, map({ name: text(249), topicId: uuid, isInternal: optional(boolean, false) })),
  /** A new partition. */
  partition: kind(
    3,
    map({
      topicId: uuid,
      partition: count,
      replicas: array(int32, 1000),
      isr: array(int32, 1000),
      /** -1: none. */
      leader: int32,
      leaderEpoch: epoch,
      /** Grows with every change of the partition's record. */
      partitionEpoch: epoch,
    }),
  ),
  /** `value` null: back to the default. */
  config: kind(
    4,
    map({
      resourceType: configResource,
      resourceName: text(249),
      key: text(249),
      value: nullable(text()),
    }),
  ),
  /** A new leader or ISR; both are the whole new value. */
  partitionChange: kind(
    5,
    map({
      topicId: uuid,
      partition: count,
      leader: int32,
      leaderEpoch: epoch,
      partitionEpoch: epoch,
      isr: array(int32, 1000),
    }),
  ),
  removeTopic: kind(9, map({ topicId: uuid })),
  featureLevel: kind(12, map({ name: text(249), level: integer(0, 32767) })),
  /** The block that ends before `nextProducerId` belongs to the broker, for good. */
  producerIds: kind(15, map({ nodeId: int32, nextProducerId: integer(0) })),
} as const;

export type MetadataRecordKind = keyof typeof recordKinds;
export type MetadataRecordBody<K extends MetadataRecordKind> = Infer<
  (typeof recordKinds)[K]["body"]
>;
export type MetadataRecord = {
  [K in MetadataRecordKind]: { readonly kind: K; readonly body: MetadataRecordBody<K> };
}[MetadataRecordKind];

const kindsByType = new Map<number, MetadataRecordKind>(
  Object.entries(recordKinds).map(([name, entry]) => [entry.type, name as MetadataRecordKind]),
);

export function encodeMetadataRecord(record: MetadataRecord): Uint8Array {
  const entry = recordKinds[record.kind] as RecordKind<unknown>;
  return encodeCbor([entry.type, entry.version, entry.body.toWire(record.body)]);
}

/**
 * @throws ProtocolError `CORRUPT_MESSAGE` when the bytes are no metadata record, `UNSUPPORTED_VERSION` when a
 * newer version of Millrace wrote it: skipping a record would be guessing.
 */
export function decodeMetadataRecord(bytes: Uint8Array): MetadataRecord {
  const item = decodeCbor(bytes);
  if (!Array.isArray(item) || item.length < 3) {
    throw new ProtocolError("CORRUPT_MESSAGE", "a metadata record is not [type, version, body]");
  }
  const [type, version, body] = item as [unknown, unknown, unknown];
  const name = typeof type === "number" ? kindsByType.get(type) : undefined;
  if (name === undefined || typeof version !== "number" || version > recordKinds[name].version) {
    throw new ProtocolError(
      "UNSUPPORTED_VERSION",
      `the metadata log holds a record of type ${String(type)} version ${String(version)}, which this version does not know`,
    );
  }
  return { kind: name, body: recordKinds[name].body.fromWire(body, name) } as MetadataRecord;
}
