// Frames as a busy connection sees them: produce with one partition, fetch responses with one and with many.

import {
  apis,
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequest,
  encodeResponse,
  type ResponseOf,
} from "@millrace/protocol";
import { type Measurement, measure } from "./protocol-measure.js";

const topicId = "00112233-4455-6677-8899-aabbccddeeff";
const records = [new Uint8Array(16_384)];

const produceRequest = {
  acks: -1,
  timeoutMs: 30_000,
  partitions: [{ topicId, partition: 3, recordsLength: 16_384 }],
};

const produceResponse: ResponseOf<"produce"> = {
  partitions: [
    {
      topicId,
      partition: 3,
      errorCode: 0,
      baseOffset: 1_234_567,
      logAppendTime: -1,
      logStartOffset: 0,
      replicas: 1,
      fsynced: true,
      errorMessage: null,
    },
  ],
};

const fetchResponse = (count: number): ResponseOf<"fetch"> => ({
  sessionId: 1,
  partitions: Array.from({ length: count }, (_, partition) => ({
    topicId,
    partition,
    errorCode: 0,
    highWatermark: 1_234_567,
    lastStableOffset: 1_234_567,
    logStartOffset: 0,
    recordsLength: 0,
    leaderId: 1,
    leaderEpoch: 4,
    divergingEpoch: -1,
    divergingEndOffset: -1,
    errorMessage: null,
  })),
});

const join = (chunks: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(chunks));

export function frameCases(): Measurement[] {
  const one = fetchResponse(1);
  const hundred = fetchResponse(100);
  const produceMessage = join(encodeRequest("produce", 1, produceRequest, records));
  const answerMessage = join(encodeResponse("produce", 1, produceResponse));
  const oneMessage = join(encodeResponse("fetch", 1, one, records));
  const hundredMessage = join(encodeResponse("fetch", 1, hundred, records));
  const perFrame = (name: string, action: () => unknown): Measurement =>
    measure(name, " frames", 1, action);
  const readFetch = (message: Uint8Array) =>
    apis.fetch.response.fromWire(decodeResponseFrame(message).body, "body");
  return [
    perFrame("produce request, encode", () => encodeRequest("produce", 1, produceRequest, records)),
    perFrame("produce request, check and decode", () =>
      apis.produce.request.fromWire(decodeRequestFrame(produceMessage).body, "body"),
    ),
    perFrame("produce response, encode", () => encodeResponse("produce", 1, produceResponse)),
    perFrame("produce response, check and decode", () =>
      apis.produce.response.fromWire(decodeResponseFrame(answerMessage).body, "body"),
    ),
    perFrame("fetch response, 1 partition, encode", () => encodeResponse("fetch", 1, one, records)),
    perFrame("fetch response, 1 partition, decode", () => readFetch(oneMessage)),
    perFrame("fetch response, 100 partitions, encode", () =>
      encodeResponse("fetch", 1, hundred, records),
    ),
    perFrame("fetch response, 100 partitions, decode", () => readFetch(hundredMessage)),
  ];
}
