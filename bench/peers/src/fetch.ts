// What the peers need that npm does not bring: looked for, fetched where that is possible into a folder that git
// ignores, and named with the command that installs it where it is not. Every step is bounded in time.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "./clients.js";
import { cacheDirectory, findProgram, here } from "./places.js";

export const KAFKA_VERSION = "4.3.1";
/** Kafka logs through SLF4J 1.7; the binding is not among its dependencies. */
const LOG4J_VERSION = "2.25.4";
/** The command line of NATS, which has `nats bench`. */
const NATS_CLI_VERSION = "v0.3.0";
/** librdkafka and the command line of NATS may have to be compiled. */
const FETCH_TIMEOUT_MS = 900_000;

/** Something is missing that the harness cannot fetch. The message says what to do. */
export class MissingPrerequisite extends Error {
  override name = "MissingPrerequisite";
}

type Say = (message: string) => void;

function run(
  [program, ...parameters]: readonly [string, ...string[]],
  options: { cwd?: string; env?: Record<string, string> } = {},
): { ok: boolean; output: string } {
  const result = spawnSync(program, parameters, {
    encoding: "utf8",
    timeout: FETCH_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
    cwd: options.cwd,
    env: { ...process.env, NO_UPDATE_NOTIFIER: "1", ...options.env },
  });
  const words = result.error === undefined ? "" : `${result.error.message}\n`;
  return {
    ok: result.status === 0,
    output: `${words}${result.stdout ?? ""}${result.stderr ?? ""}`,
  };
}

function lastLines(output: string, count = 6): string {
  return output.trimEnd().split("\n").slice(-count).join("\n");
}

const kafkaDirectory = join(cacheDirectory, `kafka-${KAFKA_VERSION}`);

/** Jars, and the compiled driver of bench/peers/java. */
export function kafkaClassPath(): string {
  return [join(kafkaDirectory, "classes"), join(kafkaDirectory, "lib", "*")].join(":");
}

const dependency = (group: string, artifact: string, version: string): string =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;

function fetchKafka(say: Say): void {
  for (const program of ["java", "javac"]) {
    if (findProgram(program) === undefined) {
      throw new MissingPrerequisite(
        `${program} is needed, Java 17 or later: apt-get install default-jdk-headless`,
      );
    }
  }
  const lib = join(kafkaDirectory, "lib");
  if (!existsSync(lib) || !readdirSync(lib).includes(`kafka_2.13-${KAFKA_VERSION}.jar`)) {
    if (findProgram("mvn") === undefined) {
      throw new MissingPrerequisite("Maven is needed to fetch Kafka's jars: apt-get install maven");
    }
    say(`fetching Apache Kafka ${KAFKA_VERSION} from Maven Central`);
    mkdirSync(kafkaDirectory, { recursive: true });
    writeFileSync(
      join(kafkaDirectory, "pom.xml"),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-peer</artifactId><version>1</version><dependencies>
${dependency("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)}
${dependency("org.apache.kafka", "kafka-tools", KAFKA_VERSION)}
${dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION)}
</dependencies></project>
`,
    );
    const fetched = run(
      ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],
      {
        cwd: kafkaDirectory,
      },
    );
    if (!fetched.ok) {
      rmSync(lib, { recursive: true, force: true });
      throw new MissingPrerequisite(
        `Kafka's jars could not be fetched:\n${lastLines(fetched.output)}`,
      );
    }
  }
  const compiled = run([
    "javac",
    "-d",
    join(kafkaDirectory, "classes"),
    "-cp",
    join(lib, "*"),
    join(here, "java", "Driver.java"),
  ]);
  if (!compiled.ok) {
    throw new Error(`the Java driver does not compile:\n${lastLines(compiled.output)}`);
  }
}

function fetchNats(say: Say): void {
  if (findProgram("nats-server") !== undefined) {
    return;
  }
  if (findProgram("go") === undefined) {
    throw new MissingPrerequisite(
      "nats-server is needed: apt-get install nats-server, or Go to fetch the newest",
    );
  }
  say("building the newest nats-server (one to two minutes)");
  const built = run(["go", "install", "github.com/nats-io/nats-server/v2@latest"], {
    env: { GOBIN: join(cacheDirectory, "go", "bin") },
  });
  if (!built.ok) {
    throw new MissingPrerequisite(
      `nats-server could not be built (apt-get install nats-server would do too):\n${lastLines(built.output)}`,
    );
  }
}

/**
 * By a module of its own that names the version: `go install` would look for a module at every folder of the path, and
 * not every proxy answers those questions.
 */
function fetchNatsBench(say: Say): void {
  if (existsSync(natsCli())) {
    return;
  }
  if (findProgram("go") === undefined) {
    throw new MissingPrerequisite(
      "Go is needed to build the command line of NATS: apt-get install golang",
    );
  }
  say("building the command line of NATS (two to four minutes)");
  const directory = join(cacheDirectory, "nats-cli");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "go.mod"), "module local/natscli\n");
  const options = { cwd: directory, env: { GOFLAGS: "-mod=mod" } };
  const found = run(["go", "get", `${natsCliModule}@${NATS_CLI_VERSION}`], options);
  const built = found.ok
    ? run(["go", "build", "-o", natsCli(), `${natsCliModule}/nats`], options)
    : found;
  if (!built.ok) {
    throw new MissingPrerequisite(
      `the command line of NATS could not be built:\n${lastLines(built.output)}`,
    );
  }
}

const natsCliModule = "github.com/nats-io/natscli";

/** The program, once it is fetched. */
export function natsCli(): string {
  return join(cacheDirectory, "go", "bin", "nats");
}

const confluentDirectory = join(cacheDirectory, "confluent");

/**
 * In a folder of its own, because its install script may fail. It takes a prebuilt library where it can have one; where
 * it compiles librdkafka instead, linking dynamically makes it use what the system has beside it, and not download that too.
 */
function fetchConfluent(say: Say): void {
  const found = join(confluentDirectory, "node_modules", "@confluentinc", "kafka-javascript");
  if (!existsSync(found)) {
    say("installing @confluentinc/kafka-javascript");
    mkdirSync(confluentDirectory, { recursive: true });
    writeFileSync(join(confluentDirectory, "package.json"), '{ "private": true }\n');
    const name = "@confluentinc/kafka-javascript";
    const installed = run(["npm", "install", name, "--no-audit", "--no-fund"], {
      cwd: confluentDirectory,
      env: { CKJS_LINKING: "dynamic" },
    });
    if (!installed.ok) {
      rmSync(join(confluentDirectory, "node_modules"), { recursive: true, force: true });
      throw new MissingPrerequisite(
        `@confluentinc/kafka-javascript does not install here; it needs a prebuilt librdkafka for this system, or to build one (apt-get install g++ make python3 zlib1g-dev libssl-dev libzstd-dev):\n${errorLines(installed.output)}`,
      );
    }
  }
}

/** npm prints its reasons among much else. */
function errorLines(output: string): string {
  const telling = output
    .split("\n")
    .filter((line) =>
      /tried to download|status code|No rule to make|gyp ERR! build error/.test(line),
    );
  return telling.length > 0 ? telling.slice(0, 6).join("\n") : lastLines(output);
}

const newestNodeDirectory = join(cacheDirectory, "newest-node");

/** The package `node` has an install script that fetches the platform's package: this one. */
function nodePackage(): string {
  const isOdd = process.platform === "darwin" && process.arch === "arm64";
  return `node-${isOdd ? "bin-" : ""}${process.platform}-${process.arch}`;
}

export function newestNode(): string {
  return join(newestNodeDirectory, "node_modules", nodePackage(), "bin", "node");
}

function fetchNewestNode(say: Say): void {
  if (existsSync(newestNode())) {
    return;
  }
  say("fetching the newest Node.js from npm");
  mkdirSync(newestNodeDirectory, { recursive: true });
  writeFileSync(join(newestNodeDirectory, "package.json"), '{ "private": true }\n');
  const version = run(["npm", "view", "node", "version"]).output.trim();
  const parameters = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  const installed = run(["npm", "install", ...parameters, `${nodePackage()}@${version}`], {
    cwd: newestNodeDirectory,
  });
  if (!existsSync(newestNode())) {
    throw new MissingPrerequisite(
      `no newer Node.js could be installed:\n${lastLines(installed.output)}`,
    );
  }
}

function need(program: string, debian: string): void {
  if (findProgram(program) === undefined) {
    throw new MissingPrerequisite(`${program} is needed: apt-get install ${debian}`);
  }
}

/** @throws MissingPrerequisite */
export function prepare(client: Client, say: Say): void {
  switch (client.server) {
    case "kafka":
      fetchKafka(say);
      break;
    case "nats":
      fetchNats(say);
      break;
    case "redis":
      need("redis-server", "redis-server");
      break;
    case "rabbitmq":
      need("rabbitmq-server", "rabbitmq-server");
      need("epmd", "erlang-base");
      break;
    case "millrace":
      break;
  }
  if (client.runtime === "newest-node") {
    fetchNewestNode(say);
  }
  if (client.name === "confluent") {
    fetchConfluent(say);
  }
  if (client.runtime === "nats-bench") {
    fetchNatsBench(say);
  }
}

function versionInstalled(directory: string, library: string): string {
  const manifest = join(directory, "node_modules", library, "package.json");
  const { version, librdkafka } = JSON.parse(readFileSync(manifest, "utf8")) as {
    version: string;
    librdkafka?: string;
  };
  return `${library} ${version}${librdkafka === undefined ? "" : ` (librdkafka ${librdkafka})`}`;
}

/** What runs, for the report: the server, and the client's library as installed. */
export function versionOf(client: Client): string {
  const server = serverVersion(client);
  if (client.runtime === "nats-bench") {
    return `${server}; nats ${NATS_CLI_VERSION}`;
  }
  if (client.library === undefined) {
    return server;
  }
  const directory = client.name === "confluent" ? confluentDirectory : here;
  return `${server}; ${versionInstalled(directory, client.library)}`;
}

function commit(): string {
  const described = run(["git", "-C", here, "rev-parse", "--short", "HEAD"]);
  return described.ok ? `commit ${described.output.trim()}` : "this checkout";
}

function serverVersion(client: Client): string {
  const first = (command: readonly [string, ...string[]]): string => {
    const program = findProgram(command[0]) ?? command[0];
    return (
      run([program, ...command.slice(1)])
        .output.trim()
        .split("\n")[0] ?? ""
    );
  };
  switch (client.server) {
    case "kafka":
      return `Apache Kafka ${KAFKA_VERSION} (KRaft), ${first(["java", "-version"])}`;
    case "nats":
      return first(["nats-server", "--version"]);
    case "redis":
      return first(["redis-server", "--version"]).replace(/ sha=.*/, "");
    case "rabbitmq":
      return `RabbitMQ ${first(["dpkg-query", "-W", "rabbitmq-server"]).split("\t")[1] ?? ""} (Debian)`;
    case "millrace":
      return `Millrace, ${commit()}`;
  }
}
