// Fields that many messages share.

import { array, integer, map, nullable, optional, text, textMap, tuple, uuid } from "../schema.js";

export const safeInteger = integer();
export const int32 = integer(-0x80000000, 0x7fffffff);
export const count = integer(0, 0x7fffffff);
export const milliseconds = integer(0, 0x7fffffff);
export const errorNumber = integer(-1, 32767);
export const errorMessage = optional(nullable(text()), null);
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
