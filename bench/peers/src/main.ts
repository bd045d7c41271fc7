// The harness: prepares what is asked for, then measures round by round, and keeps every result as soon as it is there.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { measureBaseline } from "./baseline.js";
import { type Client, clients } from "./clients.js";
import { MissingPrerequisite, prepare, versionOf } from "./fetch.js";
import { describeMachine } from "./machine.js";
import { type Options, parseOptions, UsageError, usage } from "./options.js";
import { here } from "./places.js";
import { plan, type Session } from "./plan.js";
import { lineOf } from "./progress.js";
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
import { workloads } from "./workloads.js";

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
      results.unavailable[client.name] = error.message;
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

async function measureRounds(
  sessions: readonly Session[],
  {
    options,
    results,
    workDirectory,
  }: { options: Options; results: Results; workDirectory: string },
): Promise<number> {
  let failures = 0;
  let done = 0;
  const total = sessions.reduce((sum, { steps }) => sum + steps.length, 0);
  const save = (): void => saveResults(options.file, results);
  for (const session of sessions) {
    if (!results.baselines.some(({ run }) => run === session.run)) {
      say(`round ${session.run} of ${options.runs}: the machine by itself`);
      const baseline = await measureBaseline(workDirectory, options.profile.baseline);
      results.baselines.push({ run: session.run, at: new Date().toISOString(), baseline });
      save();
    }
    say(`round ${session.run} of ${options.runs}: ${session.server}, ${session.durability}`);
    await runSession(session, {
      profile: options.profile,
      workDirectory,
      logDirectory: join(resolve(options.file), "..", "logs"),
      say,
      onConfiguration: (configuration) => {
        results.configurations[`${session.server}/${session.durability}`] = configuration;
      },
      onMeasurement: (measurement: Measurement) => {
        failures += measurement.failure === undefined ? 0 : 1;
        record(results, measurement);
        save();
        say(`${String(++done).padStart(4)}/${total}  ${lineOf(measurement)}`);
      },
    });
  }
  return failures;
}

async function measure(options: Options): Promise<void> {
  const parent = resolve(options.dataDirectory ?? tmpdir());
  mkdirSync(parent, { recursive: true });
  const machine = describeMachine(parent);
  const results = loadResults(options.file) ?? emptyResults(machine);
  expectSameMachine(results, options, machine);
  results.machine = machine;
  const available = prepareAll(options, results);
  if (options.again) {
    results.baselines.length = 0;
  }
  const sessions = plan({
    ...options,
    clients: available,
    isDone: (place) => !options.again && isDone(results, place),
  });
  const workDirectory = mkdtempSync(join(parent, "millrace-bench-peers-"));
  const removeAll = (): void =>
    rmSync(workDirectory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.once("exit", removeAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Exit handlers end the servers and clients; what is measured is in the file. A second signal must not cut them short.
    process.on(signal, () => process.exit(130));
  }
  const failures = await measureRounds(sessions, { options, results, workDirectory });
  saveResults(options.file, results);
  say(`results in ${options.file}`);
  if (failures > 0) {
    say(`${failures} measurements failed; the same command tries them again`);
    process.exitCode = 1;
  }
}

function list(): void {
  const names = (items: readonly { name: string; title: string }[]): string =>
    items.map(({ name, title }) => `  ${name.padEnd(22)} ${title}`).join("\n");
  process.stdout.write(`peers\n${names(clients)}\nworkloads\n${names(workloads)}\n`);
}

const parameters = process.argv.slice(2);
const defaultFile = join(here, "results", "latest.json");
try {
  if (parameters.includes("--help") || parameters.length === 0) {
    process.stdout.write(usage);
  } else if (parameters.includes("--list")) {
    list();
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
