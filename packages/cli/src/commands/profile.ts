// `millrace profile list|show|set|use|delete`: named defaults, in one file of the user's.

import { Argument, Command } from "commander";
import { usageError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import { addExamples, addJsonOption, type OutputOptions } from "../options.js";
import { collectKeyValue } from "../parse.js";
import {
  isProfileKey,
  isProfileName,
  type Profile,
  type ProfileFile,
  profileKeys,
  profilePath,
  profileValueProblem,
  readProfileFile,
  writeProfileFile,
} from "../profile-file.js";

const read = (context: CommandContext): ProfileFile => readProfileFile(profilePath(context.env));

function requireProfile(file: ProfileFile, name: string): Profile {
  const profile = Object.hasOwn(file.profiles, name) ? file.profiles[name] : undefined;
  if (profile === undefined) {
    throw usageError(
      `There is no profile ${JSON.stringify(name)}.`,
      "`millrace profile list` shows what there is.",
    );
  }
  return profile;
}

interface Row {
  readonly name: string;
  readonly profile: Profile;
  readonly isCurrent: boolean;
}

const columns: readonly Column<Row>[] = [
  { title: "Profile", value: (row) => row.name },
  {
    title: "Bootstrap",
    value: (row) => escapeControls(row.profile.bootstrap ?? "-"),
    isFlexible: true,
  },
  { title: "Output", value: (row) => row.profile.output ?? "-" },
  { title: "Current", value: (row) => (row.isCurrent ? "yes" : "") },
];

function listProfiles(context: CommandContext, options: OutputOptions): void {
  const { terminal } = context;
  const file = read(context);
  const rows = Object.entries(file.profiles).map(([name, profile]) => ({
    name,
    profile,
    isCurrent: name === file.current,
  }));
  if (options.json) {
    const listed = rows.map(({ name, profile, isCurrent }) => ({ name, isCurrent, ...profile }));
    terminal.out(jsonText(listed));
  } else if (rows.length === 0) {
    terminal.note(
      "There are no profiles. `millrace profile set NAME bootstrap=ws://HOST:PORT` creates one.",
    );
  } else {
    terminal.out(renderTable(rows, columns, { colors: terminal.colors, width: terminal.columns }));
  }
}

function showProfile(
  context: CommandContext,
  name: string | undefined,
  options: OutputOptions,
): void {
  const { terminal } = context;
  const file = read(context);
  const chosen = name ?? file.current;
  if (chosen === undefined) {
    throw usageError(
      "No profile is in use.",
      "Name one, or choose one with `millrace profile use NAME`.",
    );
  }
  const profile = requireProfile(file, chosen);
  if (options.json) {
    terminal.out(jsonText({ name: chosen, isCurrent: chosen === file.current, ...profile }));
    return;
  }
  terminal.out(terminal.colors.bold(chosen));
  for (const [key, value] of Object.entries(profile)) {
    terminal.out(`  ${key}=${escapeControls(String(value))}`);
  }
}

/** An empty value takes the key out. */
function changed(profile: Profile, values: Readonly<Record<string, string>>): Profile {
  const entries = new Map<string, string>(Object.entries(profile));
  for (const [key, value] of Object.entries(values)) {
    if (!isProfileKey(key)) {
      const known = Object.entries(profileKeys).map(([name, what]) => `${name} (${what})`);
      throw usageError(
        `A profile has no ${JSON.stringify(key)}.`,
        `There is: ${known.join(", ")}.`,
      );
    }
    const problem = value === "" ? undefined : profileValueProblem(key, value);
    if (problem !== undefined) {
      throw usageError(`${problem}, not ${JSON.stringify(value)}.`);
    }
    if (value === "") {
      entries.delete(key);
    } else {
      entries.set(key, value);
    }
  }
  return Object.fromEntries(entries);
}

function store(context: CommandContext, file: ProfileFile): void {
  writeProfileFile(profilePath(context.env), file);
}

function setProfile(
  context: CommandContext,
  name: string,
  given: { readonly pairs: readonly string[]; readonly options: OutputOptions },
): void {
  if (!isProfileName(name)) {
    throw usageError(
      "A profile's name is letters, digits, dots, dashes and underscores, at most 64.",
    );
  }
  const file = read(context);
  const values = given.pairs.reduce<Record<string, string>>(
    (all, pair) => collectKeyValue(pair, all),
    {},
  );
  const before = Object.hasOwn(file.profiles, name) ? file.profiles[name] : undefined;
  const profile = changed(before ?? {}, values);
  // The first one is meant to be used.
  const current = Object.keys(file.profiles).length === 0 ? name : file.current;
  store(context, { current, profiles: { ...file.profiles, [name]: profile } });
  report(context, given.options, { name, profile, text: `Profile ${name} is stored.` });
  if (current === name && before === undefined) {
    context.terminal.note("It is in use from now on; `millrace profile use NAME` changes that.");
  }
}

function useProfile(context: CommandContext, name: string, options: OutputOptions): void {
  const file = read(context);
  const profile = requireProfile(file, name);
  store(context, { ...file, current: name });
  report(context, options, { name, profile, text: `Profile ${name} is in use from now on.` });
}

function deleteProfile(context: CommandContext, name: string, options: OutputOptions): void {
  const file = read(context);
  const profile = requireProfile(file, name);
  const { [name]: _gone, ...profiles } = file.profiles;
  store(context, { current: file.current === name ? undefined : file.current, profiles });
  report(context, options, { name, profile, text: `Deleted profile ${name}.` });
}

function report(
  { terminal }: CommandContext,
  options: OutputOptions,
  done: { readonly name: string; readonly profile: Profile; readonly text: string },
): void {
  terminal.out(options.json ? jsonText({ name: done.name, ...done.profile }) : done.text);
}

const nameArgument = new Argument("<name>", "the profile");

export function profileListCommand(context: CommandContext): Command {
  const command = new Command("list")
    .description("list profiles")
    .action((options: OutputOptions) => listProfiles(context, options));
  addJsonOption(command, context);
  return addExamples(command, ["millrace profile list"]);
}

export function profileShowCommand(context: CommandContext): Command {
  const command = new Command("show")
    .description("show what a profile says")
    .addArgument(new Argument("[name]", "the profile (default: the one in use)"))
    .action((name: string | undefined, options: OutputOptions) =>
      showProfile(context, name, options),
    );
  addJsonOption(command, context);
  return addExamples(command, ["millrace profile show production"]);
}

export function profileSetCommand(context: CommandContext): Command {
  const command = new Command("set")
    .description("create a profile or change its values; an empty value removes one")
    .addArgument(nameArgument)
    .addArgument(new Argument("<key=value...>", "bootstrap=ws://HOST:PORT, output=text|json"))
    .action((name: string, pairs: string[], options: OutputOptions) =>
      setProfile(context, name, { pairs, options }),
    );
  addJsonOption(command, context);
  return addExamples(command, [
    "millrace profile set production bootstrap=ws://broker.example:9092",
    "millrace profile set scripts output=json",
  ]);
}

export function profileUseCommand(context: CommandContext): Command {
  const command = new Command("use")
    .description("take defaults from this profile from now on")
    .addArgument(nameArgument)
    .action((name: string, options: OutputOptions) => useProfile(context, name, options));
  addJsonOption(command, context);
  return addExamples(command, ["millrace profile use production"]);
}

export function profileDeleteCommand(context: CommandContext): Command {
  const command = new Command("delete")
    .description("delete a profile")
    .addArgument(nameArgument)
    .action((name: string, options: OutputOptions) => deleteProfile(context, name, options));
  addJsonOption(command, context);
  return addExamples(command, ["millrace profile delete production"]);
}
