// Every option of a server, defined once: its flag, its environment variable, its key in the configuration file,
// and how a text becomes its value. The bin and `millrace start` build their flags from this table.

import { allowedOriginProblem } from "@millrace/broker";

/** What a server can be told; all of it is optional. */
export interface ServerSettings {
  readonly host?: string;
  readonly port?: number;
  readonly dataDirectory?: string;
  readonly nodeId?: number;
  readonly clusterId?: string;
  readonly rack?: string;
  readonly advertise?: string;
  readonly allowInsecureListen?: boolean;
  readonly allowedOrigins?: readonly string[];
  /** A topics file's path. */
  readonly topics?: string;
  readonly clampReplication?: boolean;
  /** Broker configuration by dotted key. */
  readonly config?: Readonly<Record<string, string>>;
  readonly logLevel?: LogLevelName;
  readonly logFormat?: "text" | "json";
}

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const logFormats = ["text", "json"] as const;
export type LogLevelName = (typeof logLevels)[number];

/** How a value is written: `map` is `key=value`, given again for more; `list` is given again for more. */
export type ServerOptionKind = "text" | "integer" | "boolean" | "list" | "map";

export interface ServerOption {
  readonly name: keyof ServerSettings;
  readonly kind: ServerOptionKind;
  /** As commander takes it: `--port <number>`. */
  readonly flag: string;
  readonly environment: string;
  readonly description: string;
  /** What applies when nothing is said, for the help text. */
  readonly default?: string;
  /** Why a value is not acceptable ("expected ..."), or undefined. */
  readonly problem?: (value: unknown) => string | undefined;
}

const wholeNumber = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= min && Number(value) <= max
    ? undefined
    : `expected a whole number from ${min} to ${max}`;

const oneOf = (values: readonly string[]) => (value: unknown) =>
  values.includes(String(value)) ? undefined : `expected one of ${values.join(", ")}`;

function urlProblem(value: unknown): string | undefined {
  return /^wss?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?\/?$/i.test(String(value))
    ? undefined
    : "expected ws://HOST:PORT";
}

function originsProblem(value: unknown): string | undefined {
  return (value as readonly string[])
    .map(allowedOriginProblem)
    .find((found) => found !== undefined);
}

export const serverOptions: readonly ServerOption[] = [
  {
    name: "host",
    kind: "text",
    flag: "--host <address>",
    environment: "MILLRACE_HOST",
    description: "address to listen on; beyond loopback see --allow-insecure-listen",
    default: "127.0.0.1",
  },
  {
    name: "port",
    kind: "integer",
    flag: "-p, --port <number>",
    environment: "MILLRACE_PORT",
    description: "port to listen on; 0 picks a free one",
    default: "9092",
    problem: wholeNumber(0, 65_535),
  },
  {
    name: "dataDirectory",
    kind: "text",
    flag: "-d, --data-dir <path>",
    environment: "MILLRACE_DATA_DIR",
    description: "directory of the data; created when missing",
    default: "./millrace-data",
  },
  {
    name: "topics",
    kind: "text",
    flag: "--topics <file>",
    environment: "MILLRACE_TOPICS",
    description:
      'JSON file of topics to create: [{ "name", "partitions", "replication_factor", "config" }]',
  },
  {
    name: "clampReplication",
    kind: "boolean",
    flag: "--clamp-replication",
    environment: "MILLRACE_CLAMP_REPLICATION",
    description: "lower a replication factor above the number of brokers instead of refusing it",
  },
  {
    name: "advertise",
    kind: "text",
    flag: "--advertise <url>",
    environment: "MILLRACE_ADVERTISE",
    description: "ws://HOST:PORT that clients are told; without it the address they used",
    problem: urlProblem,
  },
  {
    name: "allowInsecureListen",
    kind: "boolean",
    flag: "--allow-insecure-listen",
    environment: "MILLRACE_ALLOW_INSECURE_LISTEN",
    description: "listen beyond loopback although nobody has to authenticate",
  },
  {
    name: "allowedOrigins",
    kind: "list",
    flag: "--allow-origin <origin...>",
    environment: "MILLRACE_ALLOW_ORIGIN",
    description: "web pages of this origin may connect too (https://console.example.com)",
    problem: originsProblem,
  },
  {
    name: "nodeId",
    kind: "integer",
    flag: "--node-id <number>",
    environment: "MILLRACE_NODE_ID",
    description: "number of this node in its cluster",
    default: "0",
    problem: wholeNumber(0, 2 ** 31 - 1),
  },
  {
    name: "clusterId",
    kind: "text",
    flag: "--cluster-id <id>",
    environment: "MILLRACE_CLUSTER_ID",
    description: "cluster the data must belong to; without it generated at the first start",
  },
  {
    name: "rack",
    kind: "text",
    flag: "--rack <name>",
    environment: "MILLRACE_RACK",
    description: "rack or zone of this node",
  },
  {
    name: "config",
    kind: "map",
    flag: "-s, --set <key=value...>",
    environment: "MILLRACE_CONFIG",
    description: "broker configuration, by Kafka's dotted keys: --set num.partitions=3",
  },
  {
    name: "logLevel",
    kind: "text",
    flag: "--log-level <level>",
    environment: "MILLRACE_LOG_LEVEL",
    description: logLevels.join(", "),
    default: "info",
    problem: oneOf(logLevels),
  },
  {
    name: "logFormat",
    kind: "text",
    flag: "--log-format <format>",
    environment: "MILLRACE_LOG_FORMAT",
    description: "text or json; without it text on a terminal, else json",
    problem: oneOf(logFormats),
  },
];
