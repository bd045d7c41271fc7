// Fields that many messages share.

import { array, integer, map, nullable, optional, text, textMap, tuple, uuid } from "../schema.js";

/** Any integer within +-(2^53-1). */
export const safeInteger = integer();
/** A signed 32-bit integer. */
export const int32 = integer(-0x80000000, 0x7fffffff);
/** 0 to 2^31-1. */
export const count = integer(0, 0x7fffffff);
/** A duration. */
export const milliseconds = integer(0, 0x7fffffff);
/** 0, or what went wrong with this entry alone. */
export const errorNumber = integer(-1, 32767);
/** For people; null without an error. */
export const errorMessage = optional(nullable(text()), null);
/** Held against the naming rules by the handler, so that a bad one is refused alone. */
export const topicName = text(32767);
export const topicId = uuid;

/** One broker: `[nodeId, url, rack]`. */
export const brokerEntry = tuple({
  nodeId: int32,
  /** Where clients reach it: `ws://host:port`. */
  url: text(2048),
  rack: optional(nullable(text()), null),
});

/** `[topicId, partition]` */
export const topicIdPartition = tuple({ topicId, partition: count });

/** What most admin requests answer per topic. */
export const topicResult = map({
  name: nullable(topicName),
  topicId: nullable(topicId),
  errorCode: errorNumber,
  errorMessage,
});

export { array, integer, map, nullable, optional, text, textMap, tuple, uuid };
