// The table of commands: their names, requests and responses.

import { allocateProducerIds } from "./allocate-producer-ids.js";
import { alterConfigs } from "./alter-configs.js";
import type { CommandHandler } from "./command.js";
import { createPartitions } from "./create-partitions.js";
import { createTopics } from "./create-topics.js";
import { deleteTopics } from "./delete-topics.js";
import { registerBroker } from "./register-broker.js";

export const commands = {
  registerBroker,
  createTopics,
  deleteTopics,
  createPartitions,
  alterConfigs,
  allocateProducerIds,
} as const;

export type CommandName = keyof typeof commands;
export type CommandRequest<N extends CommandName> =
  (typeof commands)[N] extends CommandHandler<infer Request, infer _Response> ? Request : never;
export type CommandResponse<N extends CommandName> =
  (typeof commands)[N] extends CommandHandler<infer _Request, infer Response> ? Response : never;
