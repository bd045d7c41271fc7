// The envelope of every WebSocket message. Request: `[apiKey, apiVersion, correlationId, body, records?]`,
// response: `[correlationId, errorCode, body, records?]`. Written as a list of chunks, so that records are never
// copied; read as a checked head with the records as a view.

import { type ApiName, apis, type RequestOf, type ResponseOf } from "./apis.js";
import { CborChecker, type CborLimits } from "./cbor/check.js";
import { decodeChecked, encodeItem } from "./cbor/codec.js";
import { errorCode as codeOf, type WireErrorName } from "./errors.js";
import type { Schema } from "./schema.js";

export interface RequestFrame {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  /** For `apis[name].request.fromWire(body, "body")`. */
  readonly body: unknown;
  /** View of the record batches; empty when there are none. */
  readonly records: Uint8Array;
}

export interface ResponseFrame {
  readonly correlationId: number;
  /** 0: success; else `body` is `{ message }` (`errorMessageOf`). */
  readonly errorCode: number;
  readonly body: unknown;
  readonly records: Uint8Array;
}

const noRecords = new Uint8Array(0);

/** Placeholders of the lengths that make cbor-x leave room for a byte string's head of 1, 2, 3 and 5 bytes. */
const headRooms = [0, 1, 2, 4].map((length) => new Uint8Array(length));

/**
 * The message as chunks: the head, then the record chunks as they were given. `records` are all partitions' batches
 * in the order of the body's list; an API that carries records always has the element, if empty.
 * @throws MillraceError `INVALID_ARGUMENT` naming a field that cannot be written (NaN, -0, out of range).
 */
export function encodeRequest<N extends ApiName>(
  api: N,
  correlationId: number,
  body: RequestOf<N>,
  records?: readonly Uint8Array[],
): Uint8Array[] {
  const definition = apis[api];
  const schema = definition.request as unknown as Schema<RequestOf<N>>;
  return encodeEnvelope(
    [definition.key, definition.maxVersion, correlationId, schema.toWire(body)],
    definition.records === "request" ? (records ?? []) : records,
  );
}

/** A successful response as chunks, like `encodeRequest`. */
export function encodeResponse<N extends ApiName>(
  api: N,
  correlationId: number,
  body: ResponseOf<N>,
  records?: readonly Uint8Array[],
): Uint8Array[] {
  const definition = apis[api];
  const schema = definition.response as unknown as Schema<ResponseOf<N>>;
  return encodeEnvelope(
    [correlationId, 0, schema.toWire(body)],
    definition.records === "response" ? (records ?? []) : records,
  );
}

/** A request that failed as a whole. `message` is for people. */
export function encodeErrorResponse(
  correlationId: number,
  error: WireErrorName,
  message: string | null,
): Uint8Array[] {
  return encodeEnvelope([correlationId, codeOf(error), { message }], undefined);
}

function encodeEnvelope(head: unknown[], records: readonly Uint8Array[] | undefined): Uint8Array[] {
  if (records === undefined) {
    return [encodeItem(head)];
  }
  let length = 0;
  for (const chunk of records) {
    length += chunk.length;
  }
  const room = headRoom(length);
  head.push(headRooms[room]);
  const bytes = encodeItem(head);
  writeStringHead(bytes, room, length);
  return length === 0 ? [bytes] : [bytes, ...records];
}

function headRoom(length: number): number {
  if (length < 24) {
    return 0;
  }
  if (length < 0x100) {
    return 1;
  }
  return length < 0x10000 ? 2 : 3;
}

/** Overwrites the placeholder at the end with the head of a byte string of `length`. */
function writeStringHead(bytes: Uint8Array, room: number, length: number): void {
  const end = bytes.length;
  if (room === 0) {
    bytes[end - 1] = 0x40 | length;
    return;
  }
  const width = room === 3 ? 4 : room;
  bytes[end - width - 1] = 0x57 + room;
  let rest = length;
  for (let index = 1; index <= width; index++) {
    bytes[end - index] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
}

/**
 * Checks a request message and decodes its envelope.
 * @throws ProtocolError `INVALID_REQUEST`
 */
export function decodeRequestFrame(message: Uint8Array, limits: CborLimits = {}): RequestFrame {
  const checker = new CborChecker(message, limits, "INVALID_REQUEST");
  const length = checker.openArray("a request");
  if (length < 4) {
    throw checker.refuse("a request has at least four elements", 0);
  }
  const apiKey = checker.readInteger("an API key");
  const apiVersion = checker.readInteger("an API version");
  const correlationId = checker.readInteger("a correlation id");
  return { apiKey, apiVersion, correlationId, ...decodeRest(checker, length - 3) };
}

/**
 * Checks a response message and decodes its envelope.
 * @throws ProtocolError `PROTOCOL_VIOLATION`
 */
export function decodeResponseFrame(message: Uint8Array, limits: CborLimits = {}): ResponseFrame {
  const checker = new CborChecker(message, limits, "PROTOCOL_VIOLATION");
  const length = checker.openArray("a response");
  if (length < 3) {
    throw checker.refuse("a response has at least three elements", 0);
  }
  const correlationId = checker.readInteger("a correlation id");
  const errorCode = checker.readInteger("an error code");
  return { correlationId, errorCode, ...decodeRest(checker, length - 2) };
}

/** Body, records, and elements that a later version may add. */
function decodeRest(
  checker: CborChecker,
  length: number,
): { readonly body: unknown; readonly records: Uint8Array } {
  const bodyAt = checker.position;
  checker.skipItem(1);
  const bodyEnd = checker.position;
  const records = length > 1 ? checker.readBytes("records") : noRecords;
  for (let index = 2; index < length; index++) {
    checker.skipItem(1);
  }
  checker.finish();
  return { body: decodeChecked(checker.bytes, bodyAt, bodyEnd), records };
}

/** The message in the body of an error response, if it has one. */
export function errorMessageOf(body: unknown): string | null {
  if (typeof body === "object" && body !== null && "message" in body) {
    return typeof body.message === "string" ? body.message : null;
  }
  return null;
}
