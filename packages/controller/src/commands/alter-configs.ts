// Changing configurations, incrementally (KIP-339): each operation touches one key, the others stay. A
// resource changes completely or not at all. Only topics can be changed while the cluster runs; a node's own
// configuration comes from its file, environment and flags.

import { isTopicConfigKey } from "@millrace/storage";
import { type MetadataImage, topicConfig } from "../metadata-image.js";
import type { ConfigResourceType, MetadataRecord } from "../metadata-record.js";
import {
  type CommandContext,
  type CommandOutcome,
  failure,
  type ItemResult,
  success,
} from "./command.js";
import { configProblem } from "./create-topics.js";

export interface ConfigOperation {
  /** `append` and `subtract` work on comma-separated lists. */
  readonly operation: "set" | "delete" | "append" | "subtract";
  readonly key: string;
  readonly value: string | null;
}

export interface AlterConfigsRequest {
  readonly resources: readonly {
    readonly type: ConfigResourceType;
    readonly name: string;
    readonly operations: readonly ConfigOperation[];
  }[];
  readonly validateOnly: boolean;
}

export interface AlteredResource extends ItemResult {
  readonly type: ConfigResourceType;
  readonly name: string;
}

type AlterRequestResource = AlterConfigsRequest["resources"][number];

export function alterConfigs(
  image: MetadataImage,
  request: AlterConfigsRequest,
  context: CommandContext,
): CommandOutcome<readonly AlteredResource[]> {
  const records: MetadataRecord[] = [];
  const seen = new Set<string>();
  const response = request.resources.map((resource): AlteredResource => {
    const { type, name } = resource;
    const key = `${type}:${name}`;
    const problem = seen.has(key)
      ? failure("INVALID_REQUEST", "the request names this resource more than once")
      : resourceProblem(image, resource);
    seen.add(key);
    if (problem !== undefined) {
      return { ...problem, type, name };
    }
    const before = topicConfig(image, name);
    const after = changedConfig(before, resource.operations);
    if (!(after instanceof Map)) {
      return { ...after, type, name };
    }
    const invalid = configProblem({
      ...context.policy.topicDefaults,
      ...Object.fromEntries(after),
    });
    if (invalid === undefined && !request.validateOnly) {
      records.push(...configChanges(name, before, after));
    }
    return { ...(invalid ?? success), type, name };
  });
  return { ok: true, records, response };
}

function resourceProblem(
  image: MetadataImage,
  { type, name, operations }: AlterRequestResource,
): ItemResult | undefined {
  if (type !== "topic") {
    return failure(
      "INVALID_REQUEST",
      `the configuration of a ${type} is read at start, from its file, environment and flags`,
    );
  }
  if (!image.topicsByName.has(name)) {
    return failure("UNKNOWN_TOPIC_OR_PARTITION", `no topic ${name}`);
  }
  const keys = operations.map((operation) => operation.key);
  const repeated = keys.find((key, index) => keys.indexOf(key) !== index);
  return repeated === undefined
    ? undefined
    : failure("INVALID_REQUEST", `${repeated} is changed more than once`);
}

const listOf = (value: string): string[] => value.split(",").filter((item) => item !== "");

/** The topic's own entries after the operations, or why they cannot be done. */
function changedConfig(
  before: ReadonlyMap<string, string>,
  operations: readonly ConfigOperation[],
): Map<string, string> | ItemResult {
  const after = new Map(before);
  for (const { operation, key, value } of operations) {
    if (operation === "delete") {
      if (!isTopicConfigKey(key)) {
        return failure("INVALID_CONFIG", `unknown topic configuration ${key}`);
      }
      after.delete(key);
    } else if (value === null) {
      return failure("INVALID_CONFIG", `${key}: ${operation} needs a value`);
    } else if (operation === "set") {
      after.set(key, value);
    } else {
      const problem = changeList(after, { operation, key, value });
      if (problem !== undefined) {
        return problem;
      }
    }
  }
  return after;
}

/** Keys whose value is a comma-separated list. */
const listKeys: ReadonlySet<string> = new Set(["cleanup.policy"]);

function changeList(
  config: Map<string, string>,
  change: { operation: "append" | "subtract"; key: string; value: string },
): ItemResult | undefined {
  const { operation, key, value } = change;
  if (!listKeys.has(key)) {
    return failure("INVALID_CONFIG", `${key} is not a list: ${operation} does not apply`);
  }
  const current = listOf(config.get(key) ?? "");
  const items = listOf(value);
  const next =
    operation === "append"
      ? [...current, ...items.filter((item) => !current.includes(item))]
      : current.filter((item) => !items.includes(item));
  config.set(key, next.join(","));
  return undefined;
}

function* configChanges(
  name: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Iterable<MetadataRecord> {
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const value = after.get(key) ?? null;
    if (value !== (before.get(key) ?? null)) {
      yield {
        kind: "config",
        body: { resourceType: "topic", resourceName: name, key, value },
      };
    }
  }
}
