// The topics file (`--topics topics.json`): topics that shall exist when the broker has started. Reading it is
// pure; applying it creates what is missing and leaves what exists as it is.

import type { Controller, TopicImage } from "@millrace/controller";
import { topicConfig } from "@millrace/controller";
import { MillraceError } from "@millrace/protocol";
import type { Logger } from "@millrace/runtime";

export interface TopicSpec {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions: number;
  /** -1: the broker's default. */
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

const knownKeys: ReadonlySet<string> = new Set([
  "name",
  "partitions",
  "replication_factor",
  "config",
]);

function invalid(path: string, problem: string): MillraceError {
  return new MillraceError("INVALID_CONFIG_VALUE", `topics file: ${path}: ${problem}`);
}

/**
 * Parses the file's content: `[{ "name", "partitions"?, "replication_factor"?, "config"? }]`.
 * @throws MillraceError `INVALID_CONFIG_VALUE` with the path of what is wrong, like `/2/partitions`.
 */
export function parseTopicsFile(content: string): TopicSpec[] {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw new MillraceError("INVALID_CONFIG_VALUE", `topics file: not JSON: ${String(error)}`);
  }
  return parseTopicSpecs(json);
}

/** @throws MillraceError `INVALID_CONFIG_VALUE` */
export function parseTopicSpecs(json: unknown): TopicSpec[] {
  if (!Array.isArray(json)) {
    throw invalid("/", "expected a list of topics");
  }
  const names = new Set<string>();
  return json.map((item: unknown, index) => {
    const spec = parseSpec(item, `/${index}`);
    if (names.has(spec.name)) {
      throw invalid(`/${index}/name`, `topic ${spec.name} stands twice`);
    }
    names.add(spec.name);
    return spec;
  });
}

function parseSpec(item: unknown, path: string): TopicSpec {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    throw invalid(path, 'expected an object with "name"');
  }
  const fields = item as Record<string, unknown>;
  for (const key of Object.keys(fields)) {
    if (!knownKeys.has(key)) {
      throw invalid(`${path}/${key}`, `unknown field; known are ${[...knownKeys].join(", ")}`);
    }
  }
  const name = fields["name"];
  if (typeof name !== "string") {
    throw invalid(`${path}/name`, "expected a text");
  }
  return {
    name,
    partitions: parseCount(fields["partitions"], `${path}/partitions`),
    replicationFactor: parseCount(fields["replication_factor"], `${path}/replication_factor`),
    config: parseConfig(fields["config"], `${path}/config`),
  };
}

function parseCount(value: unknown, path: string): number {
  if (value === undefined) {
    return -1;
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 1_000_000) {
    throw invalid(path, "expected a whole number of at least 1");
  }
  return value;
}

/** Values may be written as JSON numbers and booleans; they are kept as text. */
function parseConfig(value: unknown, path: string): Record<string, string> {
  if (value === undefined) {
    return {};
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(path, "expected an object");
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]: [string, unknown]) => {
      if (!["string", "number", "boolean"].includes(typeof entry)) {
        throw invalid(`${path}/${key}`, "expected a text, a number, true or false");
      }
      return [key, String(entry)];
    }),
  );
}

export interface ApplyTopicsOptions {
  readonly controller: Controller;
  readonly logger: Logger;
  /** Waits for a new topic's logs. */
  readonly whenReady: (topicId: string) => Promise<string | undefined>;
}

/**
 * Creates the topics that are missing, in one change. Existing ones stay as they are; what differs is logged.
 * @throws MillraceError `INVALID_CONFIG` naming each topic that is refused and why; the others are created.
 */
export async function applyTopics(
  specs: readonly TopicSpec[],
  { controller, logger, whenReady }: ApplyTopicsOptions,
): Promise<void> {
  const missing: TopicSpec[] = [];
  for (const spec of specs) {
    const topic = controller.image.topicsByName.get(spec.name);
    if (topic === undefined) {
      missing.push(spec);
    } else {
      for (const difference of differences(spec, topic, topicConfig(controller.image, spec.name))) {
        logger.warn(
          { topic: spec.name, difference },
          "an existing topic differs; it is left as it is",
        );
      }
    }
  }
  const created = await controller.submit("createTopics", { topics: missing, validateOnly: false });
  const refused = created.filter((topic) => topic.error !== "NONE");
  for (const { topicId, name } of created) {
    const problem = topicId === null ? undefined : await whenReady(topicId);
    if (problem !== undefined) {
      throw new MillraceError("KAFKA_STORAGE_ERROR", `topic ${name}: ${problem}`);
    }
  }
  if (refused.length > 0) {
    const reasons = refused.map(({ name, message }) => `${name}: ${message ?? "refused"}`);
    throw new MillraceError("INVALID_CONFIG", `topics file: ${reasons.join("; ")}`);
  }
}

/** What the file asks for and the topic has not, in words. */
export function differences(
  spec: TopicSpec,
  topic: Pick<TopicImage, "partitions">,
  config: ReadonlyMap<string, string>,
): string[] {
  const found: string[] = [];
  const compare = (what: string, wanted: string | number, actual: string | number): void => {
    if (wanted !== -1 && wanted !== actual) {
      found.push(`${what} is ${actual}, not ${wanted}`);
    }
  };
  compare("partitions", spec.partitions, topic.partitions.length);
  const factor = topic.partitions[0]?.replicas.length ?? 0;
  compare("replication_factor", spec.replicationFactor, factor);
  for (const [key, value] of Object.entries(spec.config)) {
    compare(key, value, config.get(key) ?? "the default");
  }
  return found;
}
