// `millrace completion SHELL` prints a script; `millrace complete -- WORDS` is what the script calls at each TAB.

import { Argument, Command } from "commander";
import { findCandidates } from "../completion/candidates.js";
import { completionScripts, type Shell, shells } from "../completion/scripts.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { addExamples, addJsonOption, DEFAULT_BOOTSTRAP, type OutputOptions } from "../options.js";
import { profilePath, readProfileFile } from "../profile-file.js";

/** Somebody waits at the prompt: better no names than late ones. */
const TOPICS_TIMEOUT_MS = 500;

export function completionCommand(context: CommandContext): Command {
  const command = new Command("completion")
    .description("print the script that completes commands in bash, zsh or fish")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .action((shell: Shell, options: OutputOptions) => {
      const script = completionScripts[shell];
      const { stdout } = context.terminal.streams;
      stdout.write(options.json ? `${jsonText({ shell, script })}\n` : script);
    });
  addJsonOption(command, context);
  return addExamples(command, [
    "source <(millrace completion bash)",
    "source <(millrace completion zsh)",
    "millrace completion fish | source",
  ]);
}

async function topicNames(
  context: CommandContext,
  bootstrap: string | undefined,
): Promise<readonly string[]> {
  const { ClusterClient } = await import("@millrace/client-core");
  const { silentLogger } = await import("@millrace/runtime");
  const { createNodeRuntime } = await import("@millrace/runtime/node");
  const client = new ClusterClient({
    runtime: createNodeRuntime({ logger: silentLogger }),
    bootstrap: bootstrap ?? context.defaults.bootstrap?.url ?? DEFAULT_BOOTSTRAP,
    clientId: "millrace-cli",
    connectTimeoutMs: TOPICS_TIMEOUT_MS,
  });
  try {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(TOPICS_TIMEOUT_MS)]);
    const request = { topics: null, topicIds: [] };
    const options = { timeoutMs: TOPICS_TIMEOUT_MS, signal };
    const { body } = await client.request("any", "metadata", request, options);
    const listed = body.topics.filter((topic) => !topic.isInternal && topic.name !== null);
    return listed.map(({ name }) => name ?? "").sort();
  } catch {
    // Nobody answers, or not in time: a completion has nobody to complain to.
    return [];
  } finally {
    await client.close();
  }
}

function profileNames(context: CommandContext): readonly string[] {
  try {
    return Object.keys(readProfileFile(profilePath(context.env)).profiles);
  } catch {
    // The profile commands tell what is wrong with the file.
    return [];
  }
}

async function complete(
  context: CommandContext,
  program: Command,
  request: { readonly words: readonly string[]; readonly options: OutputOptions },
): Promise<void> {
  const { options, words } = request;
  const candidates = await findCandidates(program, words, {
    topics: (bootstrap) => topicNames(context, bootstrap),
    profiles: () => profileNames(context),
  });
  const { terminal } = context;
  if (options.json) {
    terminal.out(jsonText(candidates));
    return;
  }
  for (const { word, description } of candidates) {
    terminal.out(`${word}\t${description}`);
  }
}

export function completeCommand(context: CommandContext): Command {
  const command = new Command("complete")
    .description("the words that may follow; what the completion scripts call")
    .addArgument(
      new Argument("[words...]", "behind --: the words typed so far, the last one unfinished"),
    )
    .action((words: string[], options: OutputOptions) =>
      complete(context, command.parent ?? command, { words, options }),
    );
  addJsonOption(command, context);
  return addExamples(command, ["millrace complete -- topics de"]);
}
