// `millrace doctor`: from the URL up to a record there and back, step by step, until one fails; then what to do.

import type { ClusterDescription } from "@millrace/client-admin";
import { ClusterClient } from "@millrace/client-core";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { Command } from "commander";
import type { CommandContext } from "../context.js";
import { type Check, Examination, Unhealthy, type Verdict } from "../doctor/check.js";
import { type BrokerHealth, judgeAnswer, type Upkeep } from "../doctor/http-verdict.js";
import {
  type Address,
  askHealth,
  connectTcp,
  connectTls,
  parseAddresses,
  resolveHost,
} from "../doctor/network-steps.js";
import {
  checkUpgrade,
  describeThrough,
  roundTrip,
  sayHello,
  unsupportedApis,
} from "../doctor/protocol-steps.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { jsonText } from "../format/json.js";
import { counted, formatBytes, formatMs } from "../format/numbers.js";
import { escapeControls, wrapWords } from "../format/text.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { parseDurationMs } from "../parse.js";

interface DoctorOptions extends ClientOptions, OutputOptions {
  readonly topic?: string;
  readonly origin?: string;
  readonly timeout: number;
}

/** A clock that is off by more makes timestamps, retention and `--from 10m` mean something else. */
const SKEW_WARNING_MS = 5_000;
/** `Date` headers have whole seconds. */
const SKEW_RESOLUTION_MS = 1_000;

/** What took less is not worth a number. */
const SLOW_STEP_MS = 1;

const marks: Readonly<Record<Verdict, string>> = {
  ok: "✓",
  warning: "!",
  failed: "✗",
  skipped: "-",
};

const STEP_WIDTH = 10;
const INDENT = " ".repeat(STEP_WIDTH + 6);

function printCheck(context: CommandContext, check: Check): void {
  const { colors, columns } = context.terminal;
  const paint = {
    ok: colors.green,
    warning: colors.yellow,
    failed: colors.red,
    skipped: colors.dim,
  }[check.verdict];
  const width = columns === undefined ? undefined : columns - INDENT.length;
  const [first = "", ...more] = wrapWords(escapeControls(check.message), width);
  const isSlow = check.ms !== undefined && check.ms >= SLOW_STEP_MS;
  const time = isSlow ? `  ${formatMs(check.ms ?? 0)}` : "";
  const fits = width === undefined || first.length + time.length <= width;
  const head = `  ${paint(marks[check.verdict])} ${check.step.padEnd(STEP_WIDTH)} `;
  const text = check.verdict === "skipped" ? colors.dim(first) : first;
  context.terminal.out(`${head} ${text}${fits ? colors.dim(time) : ""}`);
  for (const line of more) {
    context.terminal.out(`${INDENT}${line}`);
  }
  for (const line of wrapWords(escapeControls(check.next ?? ""), width)) {
    if (line !== "") {
      context.terminal.out(`${INDENT}${colors.bold(line)}`);
    }
  }
}

function clockWarning(health: BrokerHealth): { message: string; warning?: string } {
  if (health.dateMs === undefined) {
    return { message: "the broker does not tell its time" };
  }
  const skewMs = health.dateMs - Date.now();
  if (Math.abs(skewMs) < SKEW_WARNING_MS + SKEW_RESOLUTION_MS) {
    return { message: "this machine's clock and the broker's agree" };
  }
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return {
    message: `the broker's clock is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} this machine's`,
    warning: "Set both by NTP: timestamps, retention and searches by time go by them.",
  };
}

function describeHealth(health: BrokerHealth): string | undefined {
  const { quarantined, uncleanable } = health;
  const words: string[] = [];
  if (quarantined.length > 0) {
    words.push(
      `Partitions are quarantined: ${quarantined.join(", ")}. Run \`millrace log verify\`, then \`millrace log repair\` on the broker's machine.`,
    );
  }
  if (uncleanable.length > 0) {
    words.push(
      `The log cleaner leaves partitions alone: ${uncleanable.join(", ")}. They grow; the broker's output says why.`,
    );
  }
  return words.length === 0 ? undefined : words.join(" ");
}

/** What the broker did for its logs in the background, since it started. */
function describeUpkeep({ cleanings, damages, scrubbedBytes }: Upkeep): string {
  const found = damages === 0 ? "no damage found" : `${counted(damages, "damaged place")} found`;
  return `${counted(cleanings, "cleaning")} of compacted logs, ${formatBytes(scrubbedBytes)} verified in the background: ${found}`;
}

/** The steps below the protocol, for one address. */
async function examineNetwork(
  examination: Examination,
  address: Address,
  options: DoctorOptions,
): Promise<void> {
  const { timeout } = options;
  await examination.step("dns", async () => {
    const found = await resolveHost(address);
    const isName = found[0] !== address.host;
    return {
      found,
      message: isName
        ? `${address.host} is ${found.join(", ")}`
        : `${address.host} needs no lookup`,
    };
  });
  await examination.step("tcp", async () => {
    await connectTcp(address, timeout);
    return { found: true, message: `port ${address.port} is open` };
  });
  if (address.isSecure) {
    await examination.step("tls", async () => ({
      found: true,
      message: await connectTls(address, timeout),
    }));
  }
  const health = await examination.step("http", async () => {
    const found = judgeAnswer(await askHealth(address, timeout));
    const message = `a Millrace broker answers: version ${found.version}, node ${found.nodeId}, ${found.status}`;
    const warning = describeHealth(found);
    return { found, message, ...(warning === undefined ? {} : { warning }) };
  });
  const upkeep = health?.upkeep;
  if (upkeep !== undefined) {
    examination.add({ step: "upkeep", verdict: "ok", message: describeUpkeep(upkeep) });
  }
  if (health !== undefined) {
    await examination.step("clock", async () => ({ found: true, ...clockWarning(health) }));
  }
}

async function examineProtocol(
  examination: Examination,
  address: Address,
  options: DoctorOptions,
): Promise<void> {
  const { origin, timeout: timeoutMs } = options;
  await examination.step("websocket", async () => ({
    found: true,
    message: await checkUpgrade(address, { origin, timeoutMs }),
  }));
  await examination.step("hello", async () => {
    const hello = await sayHello(address, timeoutMs);
    const missing = unsupportedApis(hello);
    if (missing.length > 0) {
      throw new Unhealthy(
        `the broker (${hello.softwareVersion}) does not speak this version of ${missing.join(", ")}`,
        "Update the older of the two: the broker, or this command.",
      );
    }
    const message = `cluster ${hello.clusterId}, node ${hello.nodeId}, ${hello.software} ${hello.softwareVersion}`;
    return { found: hello, message };
  });
}

/** Where clients are sent to after the first answer: the usual trap behind containers and proxies. */
async function examineAdvertised(
  examination: Examination,
  cluster: ClusterDescription,
  timeoutMs: number,
): Promise<void> {
  for (const broker of cluster.brokers) {
    await examination.step("advertised", async () => {
      const advice = `Clients are sent to the URL that node ${broker.nodeId} advertises: start it with --advertise URL, with one that is valid here.`;
      try {
        const [address] = parseAddresses(broker.url);
        if (address !== undefined) {
          await resolveHost(address);
          await connectTcp(address, timeoutMs);
        }
      } catch (error) {
        if (error instanceof Unhealthy) {
          throw new Unhealthy(`${broker.url}: ${error.message}`, advice, { cause: error });
        }
        throw error;
      }
      return {
        found: true,
        message: `node ${broker.nodeId} is at ${broker.url}, reachable from here`,
      };
    });
  }
}

async function examineCluster(
  context: CommandContext,
  examination: Examination,
  options: DoctorOptions,
): Promise<void> {
  const { signal } = context;
  const { timeout: timeoutMs, topic } = options;
  const client = new ClusterClient({
    runtime: createNodeRuntime({ logger: silentLogger }),
    bootstrap: options.bootstrap,
    clientId: "millrace-doctor",
    connectTimeoutMs: timeoutMs,
  });
  try {
    const cluster = await examination.step("metadata", async () => {
      const found = await describeThrough(client, signal);
      const { brokers, controllerId, partitionCount, topicCount } = found;
      const message = [
        counted(brokers.length, "broker"),
        counted(topicCount, "topic"),
        counted(partitionCount, "partition"),
      ].join(", ");
      const warning = "There is no controller now: topics cannot be changed until one is elected.";
      return { found, message, ...(controllerId < 0 ? { warning } : {}) };
    });
    if (cluster !== undefined) {
      await examineAdvertised(examination, cluster, timeoutMs);
    }
    if (topic !== undefined) {
      await examination.step("roundtrip", async () => {
        const found = await roundTrip(client, topic, { signal, timeoutMs });
        const durable = found.fsynced ? "synced" : "written, not synced";
        const message = `a record went to ${topic} ${found.place} (${durable}, ${formatMs(found.acknowledgedMs)}) and came back after ${formatMs(found.receivedMs)}`;
        return { found, message };
      });
    }
  } finally {
    await client.close();
  }
}

async function doctor(context: CommandContext, options: DoctorOptions): Promise<void> {
  const { terminal } = context;
  if (!options.json) {
    terminal.out(`${terminal.colors.bold(escapeControls(options.bootstrap))}`);
  }
  const onCheck = (check: Check): void => {
    if (!options.json) {
      printCheck(context, check);
    }
  };
  const examination = new Examination(onCheck);
  const addresses = await examination.step("url", async () => {
    const found = parseAddresses(options.bootstrap);
    const texts = found.map(({ host, port }) => `host ${host}, port ${port}`);
    return { found, message: texts.join("; ") };
  });
  for (const address of addresses ?? []) {
    await examineNetwork(examination, address, options);
    await examineProtocol(examination, address, options);
  }
  if (!examination.hasFailed) {
    await examineCluster(context, examination, options);
  }
  context.signal.throwIfAborted();
  finish(context, examination, options);
}

function exitCodeOf(failedStep: string): ExitCode {
  if (failedStep === "url") {
    return exitCodes.USAGE;
  }
  return failedStep === "roundtrip" ? exitCodes.FAILURE : exitCodes.UNREACHABLE;
}

function finish(context: CommandContext, examination: Examination, options: DoctorOptions): void {
  const { terminal } = context;
  const { colors } = terminal;
  const { checks, hasFailed } = examination;
  const warnings = checks.filter(({ verdict }) => verdict === "warning").length;
  if (options.json) {
    terminal.out(jsonText({ bootstrap: options.bootstrap, ok: !hasFailed, checks }));
  } else if (hasFailed) {
    terminal.out(`\n${colors.red("No:")} clients cannot work with this broker from here.`);
  } else {
    const but = warnings === 0 ? "" : `, with ${counted(warnings, "warning")}`;
    terminal.out(`\n${colors.green("Yes:")} clients can work with this broker from here${but}.`);
  }
  const failed = checks.find(({ verdict }) => verdict === "failed");
  context.exitCode = hasFailed ? exitCodeOf(failed?.step ?? "") : exitCodes.OK;
}

export function doctorCommand(context: CommandContext): Command {
  const command = new Command("doctor")
    .description("find out, step by step, why a broker cannot be reached")
    .option("-t, --topic <name>", "send one record to this topic and read it back")
    .option("--origin <url>", "ask as a web page of this origin would: https://app.example.com")
    .option("--timeout <duration>", "for each step", parseDurationMs, 3_000)
    .action((options: DoctorOptions) => doctor(context, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace doctor",
    "millrace doctor --bootstrap ws://broker.example:9092 --topic orders",
    "millrace doctor --origin https://app.example.com --json",
  ]);
}
