// Where settings come from and who wins: flags over environment over configuration file. Pure: the file's
// content, the environment and the parsed flags are handed in; every complaint names its source and path.

import { isBrokerConfigKey } from "@millrace/broker";
import { MillraceError } from "@millrace/protocol";
import { type ServerOption, type ServerSettings, serverOptions } from "./server-options.js";

/** Environment variables that set one broker key: `MILLRACE_CONFIG_NUM_PARTITIONS` is `num.partitions`. */
const CONFIG_PREFIX = "MILLRACE_CONFIG_";

export interface SettingsSources {
  /** Content of the configuration file (JSON). */
  readonly file?: { readonly path: string; readonly content: string } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** As commander leaves them: text, true, or a list of texts, by option name. */
  readonly flags?: Readonly<Partial<Record<keyof ServerSettings, unknown>>>;
}

type Values = Partial<Record<keyof ServerSettings, unknown>>;

function invalid(source: string, problem: string): MillraceError {
  return new MillraceError("INVALID_CONFIG_VALUE", `${source}: ${problem}`);
}

/** @throws MillraceError `INVALID_CONFIG_VALUE` naming what is wrong and where it was said. */
export function mergeSettings(sources: SettingsSources): ServerSettings {
  const layers = [
    fromFile(sources.file),
    fromEnvironment(sources.environment ?? {}),
    fromFlags(sources.flags ?? {}),
  ];
  const merged: Values = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer) as [keyof ServerSettings, unknown][]) {
      merged[name] = name === "config" ? { ...(merged.config ?? {}), ...(value as object) } : value;
    }
  }
  return merged as ServerSettings;
}

function fromFile(file: SettingsSources["file"]): Values {
  if (file === undefined) {
    return {};
  }
  const json = parseJson(file.path, file.content);
  const values: Values = {};
  for (const [key, value] of Object.entries(json)) {
    const option = serverOptions.find((candidate) => candidate.name === key);
    const source = `${file.path}: /${key}`;
    if (option === undefined) {
      throw invalid(source, "unknown setting");
    }
    values[option.name] = checked(option, jsonValue(option, value, source), source);
  }
  return values;
}

function parseJson(path: string, content: string): object {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw invalid(path, `not JSON: ${String(error)}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid(path, "expected an object");
  }
  return json;
}

/** A JSON value of the option's kind. */
function jsonValue(option: ServerOption, value: unknown, source: string): unknown {
  const isFine: Record<ServerOption["kind"], (candidate: unknown) => boolean> = {
    text: (candidate) => typeof candidate === "string",
    integer: (candidate) => typeof candidate === "number",
    boolean: (candidate) => typeof candidate === "boolean",
    list: (candidate) =>
      Array.isArray(candidate) && candidate.every((item) => typeof item === "string"),
    map: (candidate) =>
      typeof candidate === "object" && candidate !== null && !Array.isArray(candidate),
  };
  if (!isFine[option.kind](value)) {
    throw invalid(source, `expected ${expected[option.kind]}`);
  }
  if (option.kind !== "map") {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value as object).map(([key, entry]: [string, unknown]) => {
      if (!["string", "number", "boolean"].includes(typeof entry)) {
        throw invalid(`${source}/${key}`, "expected a text, a number, true or false");
      }
      return [key, String(entry)];
    }),
  );
}

const expected: Readonly<Record<ServerOption["kind"], string>> = {
  text: "a text",
  integer: "a whole number",
  boolean: "true or false",
  list: "a list of texts",
  map: "an object",
};

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Values {
  const values: Values = {};
  for (const option of serverOptions) {
    const text = environment[option.environment];
    if (text !== undefined && text !== "" && option.kind !== "map") {
      values[option.name] = fromText(option, option.kind === "list" ? text.split(",") : text, {
        source: option.environment,
      });
    }
  }
  const config: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith(CONFIG_PREFIX) && value !== undefined) {
      const key = name.slice(CONFIG_PREFIX.length).toLowerCase().replaceAll("_", ".");
      if (!isBrokerConfigKey(key)) {
        throw invalid(name, `there is no broker configuration ${key}`);
      }
      config[key] = value;
    }
  }
  return Object.keys(config).length === 0 ? values : { ...values, config };
}

function fromFlags(flags: NonNullable<SettingsSources["flags"]>): Values {
  const values: Values = {};
  for (const option of serverOptions) {
    const value = flags[option.name];
    if (value !== undefined) {
      values[option.name] = fromText(option, value, { source: option.flag.split(" <")[0] ?? "" });
    }
  }
  return values;
}

/** A value from flags or environment, where everything is text. */
function fromText(option: ServerOption, value: unknown, { source }: { source: string }): unknown {
  switch (option.kind) {
    case "text":
      return checked(option, value, source);
    case "integer":
      return checked(
        option,
        /^-?\d{1,15}$/.test(String(value)) ? Number(value) : Number.NaN,
        source,
      );
    case "boolean":
      if (value === true || value === "true" || value === "1") {
        return true;
      }
      if (value === false || value === "false" || value === "0") {
        return false;
      }
      throw invalid(source, "expected true or false");
    case "list":
      return checked(option, Array.isArray(value) ? value : [value], source);
    case "map":
      return checked(option, pairs(Array.isArray(value) ? value : [value], source), source);
  }
}

function pairs(items: readonly unknown[], source: string): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const [, key, value] = /^([^=\s]+)=(.*)$/s.exec(String(item)) ?? [];
      if (key === undefined || value === undefined) {
        throw invalid(source, `expected key=value, got "${String(item)}"`);
      }
      return [key, value];
    }),
  );
}

function checked(option: ServerOption, value: unknown, source: string): unknown {
  const problem = option.problem?.(value);
  if (problem !== undefined) {
    throw invalid(source, problem);
  }
  return value;
}
