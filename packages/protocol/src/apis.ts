// The table of APIs: key, versions, and the schemas of both directions. Kafka's keys where Kafka has the API.

import * as cluster from "./messages/cluster.js";
import * as configs from "./messages/configs.js";
import * as fetchMessages from "./messages/fetch.js";
import * as hello from "./messages/hello.js";
import * as produceMessages from "./messages/produce.js";
import * as topics from "./messages/topics.js";
import type { Infer, Schema } from "./schema.js";

export interface ApiDefinition<Request, Response> {
  readonly key: number;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly request: Schema<Request>;
  readonly response: Schema<Response>;
  /** Which of the two carries a byte string of record batches behind its body. */
  readonly records: "request" | "response" | "none";
}

function api<Request, Response>(
  key: number,
  request: Schema<Request>,
  response: Schema<Response>,
  records: "request" | "response" | "none" = "none",
): ApiDefinition<Request, Response> {
  return { key, minVersion: 0, maxVersion: 0, request, response, records };
}

export const apis = {
  produce: api(0, produceMessages.produceRequest, produceMessages.produceResponse, "request"),
  fetch: api(1, fetchMessages.fetchRequest, fetchMessages.fetchResponse, "response"),
  listOffsets: api(2, fetchMessages.listOffsetsRequest, fetchMessages.listOffsetsResponse),
  metadata: api(3, topics.metadataRequest, topics.metadataResponse),
  hello: api(18, hello.helloRequest, hello.helloResponse),
  createTopics: api(19, topics.createTopicsRequest, topics.createTopicsResponse),
  deleteTopics: api(20, topics.deleteTopicsRequest, topics.deleteTopicsResponse),
  deleteRecords: api(21, fetchMessages.deleteRecordsRequest, fetchMessages.deleteRecordsResponse),
  initProducerId: api(
    22,
    produceMessages.initProducerIdRequest,
    produceMessages.initProducerIdResponse,
  ),
  describeConfigs: api(32, configs.describeConfigsRequest, configs.describeConfigsResponse),
  createPartitions: api(37, topics.createPartitionsRequest, topics.createPartitionsResponse),
  alterConfigs: api(44, configs.alterConfigsRequest, configs.alterConfigsResponse),
  describeCluster: api(60, cluster.describeClusterRequest, cluster.describeClusterResponse),
  describeTopics: api(75, topics.describeTopicsRequest, topics.describeTopicsResponse),
} as const;

export type ApiName = keyof typeof apis;
export type RequestOf<Name extends ApiName> = Infer<(typeof apis)[Name]["request"]>;
export type ResponseOf<Name extends ApiName> = Infer<(typeof apis)[Name]["response"]>;

const namesByKey = new Map<number, ApiName>(
  Object.entries(apis).map(([name, definition]) => [definition.key, name as ApiName]),
);

export function apiName(key: number): ApiName | undefined {
  return namesByKey.get(key);
}
