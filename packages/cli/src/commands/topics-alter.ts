// `millrace topics alter NAME`: changes some keys of a topic's configuration, all or none, and shows before and after.

import { Admin, type ConfigEntry } from "@millrace/client-admin";
import type { ClusterClient } from "@millrace/client-core";
import { Argument, Command } from "commander";
import { usageError } from "../cli-error.js";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { collectKeyValue } from "../parse.js";

interface AlterOptions extends ClientOptions, OutputOptions {
  readonly set?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
  readonly dryRun?: boolean;
}

interface ChangedKey {
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
  /** Where the value comes from now: "topic", "broker", "cluster" or "default". */
  readonly source: string;
}

const columns: readonly Column<ChangedKey>[] = [
  { title: "Key", value: (row) => escapeControls(row.key) },
  { title: "Before", value: (row) => escapeControls(row.before ?? "-"), isFlexible: true },
  { title: "After", value: (row) => escapeControls(row.after ?? "-"), isFlexible: true },
  { title: "Source", value: (row) => row.source, isOptional: true },
];

const byKey = (entries: readonly ConfigEntry[]): ReadonlyMap<string, ConfigEntry> =>
  new Map(entries.map((entry) => [entry.key, entry]));

async function alter(
  context: CommandContext,
  client: ClusterClient,
  request: { readonly topic: string; readonly options: AlterOptions },
): Promise<readonly ChangedKey[]> {
  const { topic, options } = request;
  const { signal } = context;
  const admin = new Admin({ client });
  const set = options.set ?? {};
  const deleted = options.delete ?? [];
  const keys = [...new Set([...Object.keys(set), ...deleted])];
  const describe = async () =>
    byKey((await admin.describeConfig({ topic }, { keys, signal })).entries);
  const before = await describe();
  const change = { set, delete: deleted };
  await admin.alterConfig({ topic }, change, { validateOnly: options.dryRun ?? false, signal });
  const after = options.dryRun === true ? undefined : await describe();
  return keys.map((key) => ({
    key,
    before: before.get(key)?.value ?? null,
    // A dry run cannot know what a deleted key falls back to.
    after: after === undefined ? (set[key] ?? null) : (after.get(key)?.value ?? null),
    source: after?.get(key)?.source ?? (set[key] === undefined ? "default" : "topic"),
  }));
}

async function alterTopic(
  context: CommandContext,
  topic: string,
  options: AlterOptions,
): Promise<void> {
  if (options.set === undefined && options.delete === undefined) {
    throw usageError(
      "There is nothing to change.",
      "Add --set KEY=VALUE or --delete KEY; `millrace topics describe NAME --all-configs` lists the keys.",
    );
  }
  const twice = (options.delete ?? []).find((key) => options.set?.[key] !== undefined);
  if (twice !== undefined) {
    throw usageError(`${twice} is both set and deleted.`);
  }
  const changes = await withClient(context, options.bootstrap, (client) =>
    alter(context, client, { topic, options }),
  );
  const { terminal } = context;
  const isDryRun = options.dryRun === true;
  if (options.json) {
    terminal.out(jsonText({ topic, applied: !isDryRun, changes }));
    return;
  }
  const { colors, columns: width } = terminal;
  terminal.out(renderTable(changes, columns, { colors, width }));
  if (isDryRun) {
    terminal.note("The broker would accept this; nothing was changed (--dry-run).");
  }
}

export function topicsAlterCommand(context: CommandContext): Command {
  const command = new Command("alter")
    .description("change a topic's configuration; what is not named stays")
    .addArgument(new Argument("<name>", "an existing topic"))
    .option("-s, --set <key=value>", "set a key (repeatable)", collectKeyValue)
    .option(
      "-d, --delete <key>",
      "back to the default (repeatable)",
      (key: string, keys: readonly string[] = []) => [...keys, key],
    )
    .option("--dry-run", "ask the broker whether it would accept this, and change nothing")
    .action((name: string, options: AlterOptions) => alterTopic(context, name, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics alter orders --set retention.ms=86400000",
    "millrace topics alter orders --set cleanup.policy=compact --delete retention.ms --dry-run",
  ]);
}
