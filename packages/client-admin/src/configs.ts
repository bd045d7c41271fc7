// Reading and changing configurations, incrementally (KIP-339): what is not named stays as it is.

import type { Target } from "@millrace/client-core";
import { MillraceError, type RequestOf } from "@millrace/protocol";
import {
  type AdminContext,
  type Attempt,
  type CallOptions,
  callForEach,
  type Outcome,
  outcomeOf,
  unanswered,
} from "./item-outcomes.js";
import type { ConfigValue } from "./topics.js";

/** A topic by name, a broker by its node id, or the cluster. */
export type ConfigResource = { readonly topic: string } | { readonly broker: number } | "cluster";

/** One key with the value in force, and where that comes from. */
export interface ConfigEntry {
  readonly key: string;
  /** null when it is a secret. */
  readonly value: string | null;
  /** Where it comes from: "topic", "broker", "cluster" or "default". */
  readonly source: string;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
  readonly documentation: string | null;
}

/** Every key of one topic or broker, with the value in force. */
export interface ConfigDescription {
  /** The topic's name, the node's id as text, or "cluster". */
  readonly name: string;
  readonly entries: readonly ConfigEntry[];
}

/** All of it takes effect, or nothing. */
export interface ConfigChange {
  readonly set?: Readonly<Record<string, ConfigValue>> | undefined;
  /** Back to the default. */
  readonly delete?: readonly string[] | undefined;
  /** Adds to a list. */
  readonly append?: Readonly<Record<string, ConfigValue>> | undefined;
  /** Takes out of a list. */
  readonly subtract?: Readonly<Record<string, ConfigValue>> | undefined;
}

type WireResource = { readonly type: "topic" | "broker" | "cluster"; readonly name: string };
type Operation = RequestOf<"alterConfigs">["resources"][number]["operations"][number];

/** A change, and what it is for. */
export interface ResourceChange {
  readonly resource: ConfigResource;
  readonly change: ConfigChange;
}

export function describeConfigs(
  context: AdminContext,
  request: {
    readonly resources: readonly ConfigResource[];
    readonly keys?: readonly string[] | undefined;
  },
  options: CallOptions,
): Promise<ReadonlyMap<ConfigResource, Outcome<ConfigDescription>>> {
  const keys = request.keys ?? null;
  return callForEach<ConfigResource, ConfigDescription>(context, {
    items: request.resources,
    options,
    send: (items, attempt) =>
      byTarget(items, async (target, resources) => {
        const body = { resources: resources.map((item) => ({ ...wireResource(item), keys })) };
        const answer = await context.client.request(target, "describeConfigs", body, attempt);
        return matched(resources, answer.body.resources, (answered, name) =>
          outcomeOf(answered, { resource: name }, () => ({ name, entries: answered.entries })),
        );
      }),
  });
}

export async function alterConfigs(
  context: AdminContext,
  request: { readonly changes: readonly ResourceChange[]; readonly validateOnly: boolean },
  options: CallOptions,
): Promise<ReadonlyMap<ConfigResource, Outcome<{ readonly name: string }>>> {
  const { changes, validateOnly } = request;
  const operations = new Map(
    changes.map(({ resource, change }) => [resource, operationsOf(change, nameOf(resource))]),
  );
  const send = (
    items: readonly ConfigResource[],
    attempt: Attempt,
  ): Promise<ReadonlyMap<ConfigResource, Outcome<{ readonly name: string }>>> =>
    byTarget(items, async (target, resources) => {
      const body = {
        resources: resources.map((item) => ({
          ...wireResource(item),
          operations: operations.get(item) ?? [],
        })),
        validateOnly,
      };
      const to = target === "any" ? "controller" : target;
      const answer = await context.client.request(to, "alterConfigs", body, attempt);
      return matched(resources, answer.body.resources, (answered, name) =>
        outcomeOf(answered, { resource: name }, () => ({ name })),
      );
    });
  const outcomes = await callForEach(context, { items: [...operations.keys()], options, send });
  context.client.metadata.invalidate("configurations changed");
  return outcomes;
}

export function nameOf(resource: ConfigResource): string {
  if (resource === "cluster") {
    return "cluster";
  }
  return "topic" in resource ? resource.topic : String(resource.broker);
}

function wireResource(resource: ConfigResource): WireResource {
  if (resource === "cluster") {
    return { type: "cluster", name: "" };
  }
  return "topic" in resource
    ? { type: "topic", name: resource.topic }
    : { type: "broker", name: String(resource.broker) };
}

/** @throws MillraceError `INVALID_ARGUMENT` */
function operationsOf(change: ConfigChange, name: string): readonly Operation[] {
  const operations: Operation[] = (change.delete ?? []).map((key) => ({
    operation: "delete",
    key,
    value: null,
  }));
  for (const operation of ["set", "append", "subtract"] as const) {
    for (const [key, value] of Object.entries(change[operation] ?? {})) {
      operations.push({ operation, key, value: String(value) });
    }
  }
  if (operations.length === 0) {
    throw new MillraceError(
      "INVALID_ARGUMENT",
      `the change of ${name} is empty: give set, delete, append or subtract`,
    );
  }
  return operations;
}

/** A broker's configuration is its own affair; everything else any node knows. */
async function byTarget<Value>(
  resources: readonly ConfigResource[],
  send: (
    target: Target,
    resources: readonly ConfigResource[],
  ) => Promise<ReadonlyMap<ConfigResource, Outcome<Value>>>,
): Promise<ReadonlyMap<ConfigResource, Outcome<Value>>> {
  const groups = new Map<number | "any", ConfigResource[]>();
  for (const resource of resources) {
    const key = resource !== "cluster" && "broker" in resource ? resource.broker : "any";
    const group = groups.get(key) ?? [];
    group.push(resource);
    groups.set(key, group);
  }
  const outcomes = await Promise.all(
    [...groups].map(([key, group]) => send(key === "any" ? "any" : { nodeId: key }, group)),
  );
  return new Map(outcomes.flatMap((some) => [...some]));
}

function matched<Answer extends WireResource, Value>(
  resources: readonly ConfigResource[],
  answers: readonly Answer[],
  outcome: (answer: Answer, name: string) => Outcome<Value>,
): ReadonlyMap<ConfigResource, Outcome<Value>> {
  return new Map(
    resources.map((resource) => {
      const { name, type } = wireResource(resource);
      const answer = answers.find((one) => one.type === type && one.name === name);
      const shown = nameOf(resource);
      return [resource, answer === undefined ? unanswered(shown) : outcome(answer, shown)];
    }),
  );
}
