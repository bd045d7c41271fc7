// Profiles: named defaults in one JSON file of the user's, so that a broker need not be named each time. Here is the
// file and its shape; which profile counts, and what its values mean for options, is in profile-defaults.ts.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CliError } from "./cli-failure.js";
import { exitCodes } from "./exit-codes.js";

export interface Profile {
  readonly bootstrap?: string;
  readonly output?: "text" | "json";
}

export type ProfileKey = keyof Profile;

export interface ProfileFile {
  /** The profile that counts when none is named. */
  readonly current: string | undefined;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** What each key takes, for messages and help. */
export const profileKeys: Readonly<Record<ProfileKey, string>> = {
  bootstrap: "ws://HOST:PORT of a broker",
  output: "text or json",
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const isProfileName = (name: string): boolean => NAME.test(name);

export const isProfileKey = (key: string): key is ProfileKey => Object.hasOwn(profileKeys, key);

/** Why `value` cannot be the value of `key`; undefined when it can. */
export function profileValueProblem(key: ProfileKey, value: unknown): string | undefined {
  const isText = typeof value === "string" && value !== "";
  const isFine = key === "output" ? value === "text" || value === "json" : isText;
  return isFine ? undefined : `${key} takes ${profileKeys[key]}`;
}

/** `$XDG_CONFIG_HOME/millrace/config.json`, by default below `~/.config`. */
export function profilePath(env: Readonly<Record<string, string | undefined>>): string {
  const given = env["XDG_CONFIG_HOME"] ?? "";
  const base = given === "" ? join(env["HOME"] ?? homedir(), ".config") : given;
  return join(base, "millrace", "config.json");
}

/** An absent file holds no profiles. @throws CliError when it cannot be understood */
export function readProfileFile(path: string): ProfileFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && isAbsent(error.code)) {
      return { current: undefined, profiles: {} };
    }
    throw error;
  }
  try {
    return parseProfileFile(JSON.parse(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`${path} cannot be understood: ${why}.`, {
      code: "PROFILE",
      exitCode: exitCodes.DATA,
      hint: "Correct it, or remove it: it holds nothing but defaults.",
      cause: error,
    });
  }
}

const isAbsent = (code: unknown): boolean => code === "ENOENT" || code === "ENOTDIR";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws Error with the reason. Unknown keys are refused: a misspelt one would do nothing, silently. */
export function parseProfileFile(value: unknown): ProfileFile {
  if (!isObject(value) || !isObject(value["profiles"] ?? {})) {
    throw new Error('expected {"current": NAME, "profiles": {NAME: {...}}}');
  }
  const { current, profiles = {} } = value;
  if (current !== undefined && typeof current !== "string") {
    throw new Error("current: expected the name of a profile");
  }
  const parsed = Object.entries(profiles as object).map(([name, profile]) => [
    name,
    parseProfile(name, profile),
  ]);
  return { current, profiles: Object.fromEntries(parsed) };
}

function parseProfile(name: string, value: unknown): Profile {
  if (!isProfileName(name) || !isObject(value)) {
    throw new Error(`profile ${JSON.stringify(name)}: expected a plain name and an object`);
  }
  for (const [key, entry] of Object.entries(value)) {
    if (!isProfileKey(key)) {
      throw new Error(`profile ${name}: there is no key ${JSON.stringify(key)}`);
    }
    const problem = profileValueProblem(key, entry);
    if (problem !== undefined) {
      throw new Error(`profile ${name}: ${problem}`);
    }
  }
  return value;
}

/** Written beside it and renamed, so that a reader sees the old file or the new one. */
export function writeProfileFile(path: string, file: ProfileFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
