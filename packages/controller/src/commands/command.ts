// What every command handler has in common. A handler is pure: it looks at the image and a request, and
// returns the records that make it so together with the response, which is released when the records commit.
// What is not in the image comes in the context: time, random ids, the node's defaults.

import type { MillraceError, WireErrorName } from "@millrace/protocol";
import type { MetadataImage } from "../metadata-image.js";
import type { MetadataRecord } from "../metadata-record.js";

/** What applies where a request leaves something open, and how far it may go. */
export interface TopicPolicy {
  /** `num.partitions` */
  readonly defaultPartitions: number;
  /** `default.replication.factor` */
  readonly defaultReplicationFactor: number;
  /** A replication factor above the number of brokers is lowered to it instead of refused. */
  readonly clampReplication: boolean;
  /** Bound of partitions in one topic. */
  readonly maxPartitionsPerTopic: number;
  /** Bound of partitions in all. */
  readonly maxPartitions: number;
  /** Configuration of a topic where it sets nothing itself: the node's own defaults, by Kafka's topic keys. */
  readonly topicDefaults: Readonly<Record<string, string>>;
}

export interface CommandContext {
  readonly nowMs: number;
  /** A fresh version 4 UUID with every call. */
  readonly randomUuid: () => string;
  readonly policy: TopicPolicy;
}

export type CommandOutcome<Response> =
  | { readonly ok: true; readonly records: readonly MetadataRecord[]; readonly response: Response }
  | { readonly ok: false; readonly error: WireErrorName; readonly message: string };

export type CommandHandler<Request, Response> = (
  image: MetadataImage,
  request: Request,
  context: CommandContext,
) => CommandOutcome<Response>;

/** One item of a request that holds many: its own success or failure. */
export interface ItemResult {
  readonly error: WireErrorName;
  /** null on success. */
  readonly message: string | null;
}

export const success: ItemResult = { error: "NONE", message: null };

export function failure(error: WireErrorName, message: string): ItemResult {
  return { error, message };
}

/** An error's text without its leading code, which the answer carries as a number. */
export function messageOf(error: MillraceError): string {
  const prefix = `${error.code}: `;
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
}
