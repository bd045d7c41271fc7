// The harness: prepares what is asked for, then measures round by round, and keeps every result as soon as it is there.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { measureBaseline } from "./baseline.js";
import type { Client } from "./clients.js";
import { planSeconds, sessionSeconds } from "./estimate.js";
import { MissingPrerequisite, prepare, versionOf } from "./fetch.js";
import { describeMachine } from "./machine.js";
import { type Options, parseOptions, UsageError, usage } from "./options.js";
import { listText, minutes, planText } from "./overview.js";
import { here, withoutPaths } from "./places.js";
import { plan, type Session } from "./plan.js";
import { Progress } from "./progress.js";
import { writeReport } from "./report/write.js";
import {
  emptyResults,
  isDone,
  loadResults,
  type Measurement,
  type Results,
  record,
  saveResults,
} from "./results.js";
import { runSession } from "./session.js";

const started = performance.now();

function say(message: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  process.stderr.write(`${clock.padStart(6)}  ${message}\n`);
}

/** Those that can be measured here; the others are named, with what they lack. */
function prepareAll(options: Options, results: Results): Client[] {
  return options.clients.filter((client) => {
    try {
      prepare(client, say);
      results.versions[client.name] = versionOf(client);
      delete results.unavailable[client.name];
      return true;
    } catch (error) {
      if (!(error instanceof MissingPrerequisite)) {
        throw error;
      }
      results.unavailable[client.name] = withoutPaths(error.message);
      say(`${client.name}: ${error.message}`);
      return false;
    }
  });
}

function expectSameMachine(results: Results, options: Options, machine: Results["machine"]): void {
  const { cpu, cores } = results.machine;
  if (!options.again && (cpu !== machine.cpu || cores !== machine.cores)) {
    throw new UsageError(
      `${options.file} is of another machine (${cpu}, ${cores} cores): give another --json, or --again`,
    );
  }
}

async function measureBaselineOnce(run: number, scene: Scene): Promise<void> {
  const { options, results, workDirectory } = scene;
  if (!results.baselines.some((known) => known.run === run)) {
    say(`round ${run}: the machine by itself`);
    const baseline = await measureBaseline(workDirectory, options.profile.baseline);
    results.baselines.push({ run, at: new Date().toISOString(), baseline });
    saveResults(options.file, results);
  }
}

interface Scene {
  readonly options: Options;
  readonly results: Results;
  readonly workDirectory: string;
}

/** @returns how many measurements failed, and how many there was no time for */
async function measureRounds(
  sessions: readonly Session[],
  scene: Scene,
): Promise<{ failed: number; skipped: number }> {
  const { options, results, workDirectory } = scene;
  const counts = { failed: 0, skipped: 0 };
  const progress = new Progress(results, sessions);
  const secondsMax = (options.minutes ?? Number.POSITIVE_INFINITY) * 60;
  for (const session of sessions) {
    const elapsedSeconds = (performance.now() - started) / 1000;
    if (elapsedSeconds + sessionSeconds(results, session) > secondsMax) {
      counts.skipped += session.steps.length;
      progress.ended(session);
      continue;
    }
    await measureBaselineOnce(session.run, scene);
    say(
      `${session.group}, round ${session.run} of ${session.group === "core" ? options.runs : options.wideRuns}: ${session.server}, ${session.durability}`,
    );
    await runSession(session, {
      profile: options.profile,
      workDirectory,
      logDirectory: join(resolve(options.file), "..", "logs"),
      say,
      onConfiguration: (configuration) => {
        results.configurations[`${session.server}/${session.durability}`] = configuration;
      },
      onMeasurement: (measurement: Measurement) => {
        counts.failed += measurement.failure === undefined ? 0 : 1;
        record(results, measurement);
        saveResults(options.file, results);
        say(progress.lineAfter(session, measurement));
      },
      onServerSeconds: (seconds) => {
        progress.ended(session);
        results.serverSeconds ??= {};
        results.serverSeconds[`${session.server}/${session.durability}`] = seconds;
      },
    });
  }
  return counts;
}

async function measure(options: Options): Promise<void> {
  const parent = resolve(options.dataDirectory ?? tmpdir());
  mkdirSync(parent, { recursive: true });
  const machine = describeMachine(parent);
  const results = loadResults(options.file) ?? emptyResults(machine);
  expectSameMachine(results, options, machine);
  results.machine = machine;
  const planFor = (among: readonly Client[]): Session[] =>
    plan({
      ...options,
      clients: among,
      isDone: (place) => !options.again && isDone(results, place),
    });
  if (options.isPlanOnly) {
    process.stdout.write(planText(results, planFor(options.clients)));
    return;
  }
  const sessions = planFor(prepareAll(options, results));
  if (options.again) {
    results.baselines.length = 0;
  }
  say(`${minutes(planSeconds(results, sessions))} of measurements`);
  const workDirectory = mkdtempSync(join(parent, "millrace-bench-peers-"));
  const removeAll = (): void =>
    rmSync(workDirectory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.once("exit", removeAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Exit handlers end the servers and clients; what is measured is in the file. A second signal must not cut them short.
    process.on(signal, () => process.exit(130));
  }
  const { failed, skipped } = await measureRounds(sessions, { options, results, workDirectory });
  saveResults(options.file, results);
  say(`results in ${options.file}`);
  if (skipped > 0) {
    say(`there was no time for ${skipped} measurements; the same command goes on with them`);
  }
  if (failed > 0) {
    say(`${failed} measurements failed; the same command tries them again`);
    process.exitCode = 1;
  }
}

const parameters = process.argv.slice(2);
const defaultFile = join(here, "results", "latest.json");
try {
  if (parameters.includes("--help") || parameters.length === 0) {
    process.stdout.write(usage);
  } else if (parameters.includes("--list")) {
    process.stdout.write(listText());
  } else if (parameters.includes("--report")) {
    const at = parameters.indexOf("--json");
    await writeReport(at < 0 ? defaultFile : (parameters[at + 1] ?? defaultFile));
  } else {
    await measure(parseOptions(parameters, defaultFile));
  }
} catch (error) {
  if (!(error instanceof UsageError)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exitCode = 64;
}
