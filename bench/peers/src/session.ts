// One start of a server and the jobs against it: a data directory of its own, memory and disk beside each job, the
// server's log kept when something fails, everything removed afterwards.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BesideLoad } from "./beside.js";
import { runJob } from "./client-process.js";
import type { Client } from "./clients.js";
import type { Job, JobAnswer } from "./job.js";
import type { Profile } from "./options.js";
import { createPayloads } from "./payload.js";
import { withoutPaths } from "./places.js";
import { placeOf, type Session, type Step } from "./plan.js";
import { peakBytes, processTree, resetPeak, residentBytes } from "./proc.js";
import type { Measurement, Place } from "./results.js";
import type { RunningServer } from "./servers/server.js";
import { startServer } from "./servers/start.js";
import { round } from "./statistics.js";
import { limits, type Workload, workloads } from "./workloads.js";

const SYNC_TIMEOUT_MS = 30_000;
/** A new server is warmed up by one short job that is not counted, the same for all. */
const WARM_UP: Step["workload"] = workloads[0] as Workload;

export interface SessionContext {
  readonly profile: Profile;
  /** Holds a folder for each session, which is removed with it. */
  readonly workDirectory: string;
  /** Where logs of failed sessions go. */
  readonly logDirectory: string;
  readonly say: (message: string) => void;
  readonly onConfiguration: (configuration: Record<string, string>) => void;
  readonly onMeasurement: (measurement: Measurement) => void;
  /** What the server took beside its measurements. */
  readonly onServerSeconds: (seconds: number) => void;
}

/** Writes back what is dirty, so that one peer's unwritten data is not the next one's burden. */
function settleDisk(directory: string): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn("sync", ["-f", directory], { stdio: "ignore", timeout: SYNC_TIMEOUT_MS });
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
}

function secondsOf(workload: Workload, profile: Profile): number {
  if (workload.kind !== "latency") {
    return profile.load;
  }
  return workload.name === "idle" ? profile.idle : profile.latency;
}

/** Batches compile in a moment what a record goes through; single records need thousands of round trips for it. */
function warmUpSecondsOf({ kind }: Workload, profile: Profile): number {
  return kind === "produce" || kind === "beside-disk" || kind === "connections"
    ? profile.warmUp
    : profile.warmUpSingle;
}

function jobFor(
  { client, workload }: Step,
  server: RunningServer,
  { profile, directory, durability }: { profile: Profile; directory: string; durability: string },
): Job {
  const payloadFile = join(directory, `payload-${workload.content}-${workload.recordBytes}`);
  if (!existsSync(payloadFile)) {
    writeFileSync(
      payloadFile,
      Buffer.concat(createPayloads(workload.content, workload.recordBytes)),
    );
  }
  return {
    client: client.name,
    address: server.address,
    serverPids: processTree(server.pid),
    topic: `bench-${workload.name}-${randomUUID().slice(0, 8)}`,
    durability,
    scratchDirectory: directory,
    topicConfig: server.topicConfig,
    workload,
    warmUpSeconds: warmUpSecondsOf(workload, profile),
    seconds: secondsOf(workload, profile),
    batchBytes: limits.batchBytes,
    batchesInFlight: limits.batchesInFlight,
    recordsInFlight: limits.recordsInFlight,
    // Waiting for more records helps batches only: where single records count, nobody waits.
    lingerMs: workload.kind === "produce" ? limits.lingerMs : 0,
    maxBytes: limits.maxBytes,
    payloadFile,
  };
}

/** @throws when records were lost, or stored twice: a figure of other records than those sent is none */
function checkNothingLost(answer: JobAnswer): JobAnswer {
  const { acknowledged, stored } = answer;
  if (stored !== acknowledged) {
    const words = stored < acknowledged ? "records were lost" : "retries were stored twice";
    throw new Error(`${acknowledged} records were acknowledged, ${stored} are stored: ${words}`);
  }
  return answer;
}

type Outcome = Omit<Measurement, keyof Place | "at">;

const failureOf = (error: unknown): string =>
  withoutPaths(error instanceof Error ? error.message : String(error));

class SessionRun {
  readonly #session: Session;
  readonly #context: SessionContext;
  readonly #directory: string;
  readonly #server: RunningServer;
  hasFailed = false;

  constructor(session: Session, context: SessionContext, directory: string, server: RunningServer) {
    this.#session = session;
    this.#context = context;
    this.#directory = directory;
    this.#server = server;
  }

  #job(step: Step, profile: Profile): Job {
    const [directory, { durability }] = [this.#directory, this.#session];
    return jobFor(step, this.#server, { profile, directory, durability });
  }

  async warmUp(client: Client): Promise<void> {
    const step = { client, workload: WARM_UP };
    const job = this.#job(step, { ...this.#context.profile, warmUp: 0, load: 1 });
    await runJob(client, job).catch(() => undefined);
  }

  async measure(step: Step): Promise<void> {
    const place = placeOf(this.#session, step);
    const at = new Date().toISOString();
    const started = performance.now();
    const outcome = await this.#outcomeOf(step).catch((error: unknown) => {
      this.hasFailed = true;
      return { failure: failureOf(error) };
    });
    await settleDisk(this.#directory);
    const tookSeconds = round((performance.now() - started) / 1000, 1);
    this.#context.onMeasurement({ ...place, at, ...outcome, tookSeconds });
  }

  async #outcomeOf({ client, workload }: Step): Promise<Outcome> {
    const { durability } = this.#session;
    const beside = BesideLoad.for({ client: client.name, workload, durability }, this.#directory);
    await beside?.slice();
    const job = this.#job({ client, workload }, this.#context.profile);
    resetPeak(job.serverPids);
    const answer = checkNothingLost(await runJob(client, job));
    const serverPeakBytes = peakBytes(job.serverPids);
    const serverResidentBytes = residentBytes(job.serverPids);
    await beside?.slice();
    return {
      answer,
      serverPeakBytes,
      serverResidentBytes,
      ...(beside === undefined ? {} : { beside: beside.result() }),
    };
  }
}

function keepLog(logFile: string, { logDirectory, say }: SessionContext, name: string): void {
  if (existsSync(logFile)) {
    mkdirSync(logDirectory, { recursive: true });
    const kept = join(logDirectory, `${name}.log`);
    copyFileSync(logFile, kept);
    say(`the server's log is kept in ${kept}`);
  }
}

/** Failures are recorded as measurements; nothing is thrown. */
export async function runSession(session: Session, context: SessionContext): Promise<void> {
  const name = `${session.server}-${session.durability}-${session.run}`;
  const directory = mkdtempSync(join(context.workDirectory, `${name}-`));
  const data = join(directory, "server");
  const logFile = join(directory, "server.log");
  mkdirSync(data);
  let server: RunningServer | undefined;
  let hasFailed = false;
  const started = performance.now();
  let measuringMs = 0;
  try {
    server = await startServer({
      kind: session.server,
      durability: session.durability,
      directory: data,
      logFile,
    });
    context.onConfiguration({ ...server.configuration });
    const run = new SessionRun(session, context, directory, server);
    const first = session.steps.find(({ client }) => client.runtime !== "perf-tools");
    if (first !== undefined) {
      await run.warmUp(first.client);
    }
    const measuringFrom = performance.now();
    for (const step of session.steps) {
      await run.measure(step);
    }
    measuringMs = performance.now() - measuringFrom;
    hasFailed = run.hasFailed;
  } catch (error) {
    hasFailed = true;
    const failure = `the server did not start: ${failureOf(error)}`;
    for (const step of session.steps) {
      context.onMeasurement({ ...placeOf(session, step), at: new Date().toISOString(), failure });
    }
  } finally {
    await server?.stop();
    if (hasFailed) {
      keepLog(logFile, context, name);
    }
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    await settleDisk(context.workDirectory);
    context.onServerSeconds(round((performance.now() - started - measuringMs) / 1000, 1));
  }
}
