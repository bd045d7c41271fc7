// From an API's name to its handler: the one table. An API that is in the protocol but not here does not compile.

import { type ApiName, apis, encodeResponse } from "@millrace/protocol";
import { alterConfigs } from "./handlers/alter-configs.js";
import { createPartitions } from "./handlers/create-partitions.js";
import { createTopics } from "./handlers/create-topics.js";
import { deleteRecords } from "./handlers/delete-records.js";
import { deleteTopics } from "./handlers/delete-topics.js";
import { describeCluster } from "./handlers/describe-cluster.js";
import { describeConfigs } from "./handlers/describe-configs.js";
import { describeTopics } from "./handlers/describe-topics.js";
import { fetch } from "./handlers/fetch.js";
import type { Answer, BrokerServices, Call, Handler } from "./handlers/handler.js";
import { hello } from "./handlers/hello.js";
import { initProducerId } from "./handlers/init-producer-id.js";
import { listOffsets } from "./handlers/list-offsets.js";
import { metadata } from "./handlers/metadata.js";
import { produce } from "./handlers/produce.js";

const handlers: { readonly [N in ApiName]: Handler<N> } = {
  produce,
  fetch,
  listOffsets,
  metadata,
  hello,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  describeConfigs,
  createPartitions,
  alterConfigs,
  describeCluster,
  describeTopics,
};

export interface Dispatched {
  readonly api: ApiName;
  readonly correlationId: number;
  /** Not yet checked against the API's schema. */
  readonly body: unknown;
  readonly call: Call;
}

/** A frame to send. */
export interface Reply {
  readonly chunks: readonly Uint8Array[];
  /** To be called once, when nobody looks at the chunks any more. */
  readonly release: (() => void) | undefined;
}

/**
 * Runs the handler up to its first wait, synchronously, and returns the answer's frame when it is there.
 * @throws MillraceError (also as a rejection) the error to answer with
 */
export function dispatch(broker: BrokerServices, request: Dispatched): Reply | Promise<Reply> {
  return run(request.api, broker, request);
}

function run<N extends ApiName>(
  api: N,
  broker: BrokerServices,
  { body: unchecked, call, correlationId }: Dispatched,
): Reply | Promise<Reply> {
  const handler: Handler<N> = handlers[api];
  const request = apis[api].request.fromWire(unchecked, "body") as Parameters<Handler<N>>[1];
  const encode = ({ body, records, release }: Answer<N>): Reply => ({
    chunks: encodeResponse(api, correlationId, body, records),
    release,
  });
  const answer = handler(broker, request, call);
  return answer instanceof Promise ? answer.then(encode) : encode(answer);
}
