// A broker: registers with the controller, hosts its partitions, and serves the connections of its listener
// until it is stopped or its storage fails. Owns neither the controller nor the data directory: whoever
// opened them closes them, after the broker has stopped.

import type { Controller } from "@millrace/controller";
import { FRAME_OVERHEAD_BYTES } from "@millrace/protocol";
import {
  type AcceptedConnection,
  type ConnectionEvents,
  type Logger,
  randomUuid,
  type ServerRuntime,
} from "@millrace/runtime";
import type { Log, LogManager } from "@millrace/storage";
import type { BrokerConfig } from "./broker-config.js";
import { ClientConnection } from "./connection.js";
import { ALL_SESSIONS_PARTITIONS_MAX, FetchSessions } from "./fetch-session.js";
import type { BrokerServices } from "./handlers/handler.js";
import type { BrokerStatus, Health } from "./health.js";
import { Housekeeping } from "./housekeeping.js";
import type { BrokerListener } from "./listener.js";
import { ParkedFetches } from "./parked-fetches.js";
import { PartitionSet } from "./partition-set.js";
import { ProducerIds } from "./producer-ids.js";
import { Registration } from "./registration.js";
import { RequestBudget } from "./request-budget.js";
import { ResponseBudget } from "./response-budget.js";
import { within } from "./within.js";

const SWEEP_INTERVAL_MS = 10_000;
const RETRY_INTERVAL_MS = 2_000;
/** How long connections have to take their last answers. */
const CLOSE_GRACE_MS = 1000;

export interface BrokerOptions {
  readonly runtime: ServerRuntime;
  readonly logs: LogManager;
  readonly controller: Controller;
  readonly config: BrokerConfig;
  readonly listener: BrokerListener;
  readonly softwareVersion: string;
  /** What other nodes and clients are told; absent: what each client used. */
  readonly advertisedUrl?: string | undefined;
  readonly rack?: string | undefined;
}

export class Broker {
  /** Resolves when the broker had to stop by itself: its storage failed. Never rejects. */
  readonly failed: Promise<Error>;
  private readonly options: BrokerOptions;
  private readonly logger: Logger;
  private readonly services: BrokerServices;
  private readonly housekeeping: Housekeeping;
  private readonly budget: RequestBudget;
  private readonly connections = new Set<ClientConnection>();
  private readonly startedAtMs: number;
  private currentStatus: BrokerStatus = "starting";
  private maxFrameBytes = 0;
  private stopping: Promise<void> | undefined;

  private constructor(
    options: BrokerOptions,
    partitions: PartitionSet,
    registration: Registration,
  ) {
    const { runtime, config, controller, logs, listener } = options;
    this.options = options;
    this.logger = runtime.logger.child({ component: "broker", nodeId: logs.nodeId });
    this.startedAtMs = runtime.clock.monotonicMs();
    this.budget = new RequestBudget(config.queuedMaxRequestBytes);
    this.housekeeping = new Housekeeping(runtime.clock, this.logger);
    this.services = {
      runtime,
      nodeId: logs.nodeId,
      clusterId: logs.clusterId,
      softwareVersion: options.softwareVersion,
      config,
      controller,
      partitions,
      registration,
      sessions: new FetchSessions({
        maxSessions: config.maxFetchSessions,
        maxPartitions: ALL_SESSIONS_PARTITIONS_MAX,
        evictionMs: config.fetchSessionEvictionMs,
      }),
      parkedFetches: new ParkedFetches(runtime.clock),
      producerIds: new ProducerIds(controller),
      responses: new ResponseBudget(config.queuedMaxResponseBytes),
      advertisedUrl: (host) => listener.advertisedUrl(host),
      maxFrameBytes: () => this.maxFrameBytes,
    };
    this.failed = logs.failed.then((failure) => this.fail(failure));
  }

  /** Registers, gives every partition its log, and serves. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const { runtime, logs, controller, config } = options;
    const registration = new Registration({
      controller,
      logger: runtime.logger,
      request: {
        nodeId: logs.nodeId,
        incarnationId: randomUuid(runtime.random),
        directoryId: logs.directoryId,
        url: options.advertisedUrl ?? null,
        rack: options.rack ?? null,
        softwareVersion: options.softwareVersion,
      },
    });
    await registration.attempt();
    const partitions = await PartitionSet.open({
      runtime,
      logs,
      controller,
      topicDefaults: config.topicDefaults,
    });
    const broker = new Broker(options, partitions, registration);
    broker.run();
    return broker;
  }

  get status(): BrokerStatus {
    return this.currentStatus;
  }

  get url(): string {
    return this.options.listener.url;
  }

  health(): Health {
    const { controller, logs, runtime, listener } = this.options;
    const namesOf = (accept: (log: Log) => boolean): string[] =>
      [...this.services.partitions]
        .filter((partition) => accept(partition.log))
        .map((partition) => `${partition.topic}-${partition.partition}`);
    return {
      status: this.currentStatus,
      clusterId: logs.clusterId,
      nodeId: logs.nodeId,
      uptimeMs: Math.round(runtime.clock.monotonicMs() - this.startedAtMs),
      version: this.options.softwareVersion,
      topics: controller.image.topicsById.size,
      partitions: controller.image.partitionCount,
      quarantined: namesOf((log) => log.state === "quarantined"),
      uncleanable: namesOf((log) => log.uncleanable !== undefined),
      connections: listener.connectionCount,
      cleaner: logs.cleaner.totals,
      scrub: logs.scrubTotals,
    };
  }

  /** Resolves when a topic's logs are there, or with why some are not. */
  async whenTopicReady(topicId: string): Promise<string | undefined> {
    return (await this.services.partitions.whenReady(topicId))?.message;
  }

  /** Answers what is in flight, closes every connection, and waits for its own work. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private run(): void {
    const { config, runtime, logs } = this.options;
    this.adjustFrameLimit();
    this.services.partitions.onChange(() => this.adjustFrameLimit());
    this.housekeeping.start({
      name: "retention",
      intervalMs: config.retentionCheckIntervalMs,
      run: () => logs.applyRetention(runtime.clock.nowMs()),
    });
    this.housekeeping.start({
      name: "log cleaner",
      intervalMs: config.cleanerBackoffMs,
      run: () => this.cleanLogs(),
    });
    this.housekeeping.start({
      name: "idle connections",
      intervalMs: Math.min(SWEEP_INTERVAL_MS, config.idleTimeoutMs),
      run: () => this.sweepConnections(),
    });
    if (!this.services.registration.isDone) {
      this.housekeeping.start({
        name: "registration",
        intervalMs: RETRY_INTERVAL_MS,
        run: () => this.services.registration.attempt(),
      });
    }
    this.housekeeping.start({
      name: "missing logs",
      intervalMs: RETRY_INTERVAL_MS,
      run: () => this.services.partitions.retryMissing(),
    });
    this.currentStatus = "running";
    this.options.listener.serve({
      onConnection: (connection) => this.accept(connection),
      health: () => this.health(),
    });
  }

  private async cleanLogs(): Promise<void> {
    const { config, logs, runtime } = this.options;
    const stable = new Map<Log, number>();
    for (const { log, lastStableOffset } of this.services.partitions) {
      stable.set(log, lastStableOffset);
    }
    await logs.cleaner.clean({
      nowMs: runtime.clock.nowMs(),
      // A log without a partition here waits for the metadata.
      stableOffsetOf: (log) => stable.get(log) ?? log.logStartOffset,
      dedupeBufferBytes: config.cleanerDedupeBufferBytes,
      maxBytesPerSecond: config.cleanerIoMaxBytesPerSecond,
    });
  }

  private accept(connection: AcceptedConnection): ConnectionEvents {
    const client = new ClientConnection({
      connection,
      broker: this.services,
      budget: this.budget,
      logger: this.logger,
      isStopping: () => this.currentStatus !== "running",
      onClosed: (closed) => {
        this.connections.delete(closed);
        this.services.sessions.endAllOf(closed);
      },
    });
    this.connections.add(client);
    return client;
  }

  /** The largest batch any topic takes decides about the largest frame. */
  private adjustFrameLimit(): void {
    const bytes = this.services.partitions.maxMessageBytes() + FRAME_OVERHEAD_BYTES;
    if (bytes !== this.maxFrameBytes) {
      this.maxFrameBytes = bytes;
      for (const connection of this.connections) {
        connection.raiseMessageLimit();
      }
    }
  }

  private sweepConnections(): void {
    const nowMs = this.options.runtime.clock.monotonicMs();
    for (const connection of this.connections) {
      connection.sweep(nowMs);
    }
  }

  private async shutDown(): Promise<void> {
    const { listener, runtime, config } = this.options;
    const hasFailed = this.currentStatus === "failed";
    if (!hasFailed) {
      this.currentStatus = "stopping";
      this.logger.info({ connections: this.connections.size }, "the broker is stopping");
    }
    await listener.stopAccepting();
    this.services.parkedFetches.close();
    const idle = Promise.all([...this.connections].map((connection) => connection.whenIdle()));
    await within(runtime.clock, hasFailed ? 0 : config.shutdownTimeoutMs, idle).catch(() => {
      this.logger.warn({}, "requests in flight were not answered in time");
    });
    await listener.close(hasFailed ? 0 : CLOSE_GRACE_MS);
    await this.options.logs.cleaner.stop();
    await this.housekeeping.stop();
    await this.services.partitions.close();
    if (!hasFailed) {
      this.currentStatus = "stopped";
      this.logger.info({}, "the broker has stopped");
    }
  }

  /** Nothing more may be acknowledged. */
  private fail(failure: { path: string; message: string; cause: unknown }): Error {
    this.currentStatus = "failed";
    this.logger.fatal(
      { path: failure.path, error: failure.cause, reason: failure.message },
      "storage failed: the broker stops",
    );
    this.services.parkedFetches.close();
    return new Error(`storage failed: ${failure.message} (${failure.path})`, {
      cause: failure.cause,
    });
  }
}
