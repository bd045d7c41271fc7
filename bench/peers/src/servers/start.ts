// Which server is started how.

import type { ServerKind } from "../clients.js";
import { startKafka } from "./kafka.js";
import { startMillrace } from "./millrace.js";
import { startNats } from "./nats.js";
import { startRabbitmq } from "./rabbitmq.js";
import { startRedis } from "./redis.js";
import type { RunningServer, ServerRequest } from "./server.js";

const starters: Readonly<Record<ServerKind, (request: ServerRequest) => Promise<RunningServer>>> = {
  millrace: startMillrace,
  kafka: startKafka,
  nats: startNats,
  redis: startRedis,
  rabbitmq: startRabbitmq,
};

export const startServer = (request: ServerRequest): Promise<RunningServer> =>
  starters[request.kind](request);
