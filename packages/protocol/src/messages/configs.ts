// Reading and changing configurations (KIP-339: incremental changes).

import { array, boolean, map, nullable, oneOf, optional, text, tuple } from "../schema.js";
import { errorMessage, errorNumber } from "./fields.js";

/** A resource's name: the topic's, the node's id as text; "" for the cluster. */
export const configResourceType = oneOf("topic", "broker", "cluster");

export const describeConfigsRequest = map({
  resources: array(
    map({
      type: configResourceType,
      name: text(),
      /** null: all keys. */
      keys: optional(nullable(array(text())), null),
    }),
  ),
});

export const describeConfigsResponse = map({
  resources: array(
    map({
      type: configResourceType,
      name: text(),
      errorCode: errorNumber,
      errorMessage,
      entries: array(
        tuple({
          key: text(),
          /** null when sensitive. */
          value: nullable(text()),
          /** "topic", "broker", "cluster" or "default". */
          source: text(64),
          isReadOnly: boolean,
          isSensitive: boolean,
          documentation: optional(nullable(text()), null),
        }),
      ),
    }),
  ),
});

export const alterConfigsRequest = map({
  resources: array(
    map({
      type: configResourceType,
      name: text(),
      operations: array(
        tuple({
          operation: oneOf("set", "delete", "append", "subtract"),
          key: text(),
          value: nullable(text()),
        }),
      ),
    }),
  ),
  validateOnly: optional(boolean, false),
});

export const alterConfigsResponse = map({
  resources: array(
    map({ type: configResourceType, name: text(), errorCode: errorNumber, errorMessage }),
  ),
});
