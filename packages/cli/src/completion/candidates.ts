// What may stand at the last word of a command line: commands, options, values of options, topics. Works on the
// command tree, so that it cannot say what there is not.

import type { Argument, Command, Option } from "commander";

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

export interface CandidateSources {
  /** Names of topics; empty when nobody answers quickly. `bootstrap`: what the command line says, if it does. */
  readonly topics: (bootstrap: string | undefined) => Promise<readonly string[]>;
  readonly profiles: () => readonly string[];
}

const isOption = (word: string): boolean => word.startsWith("-") && word !== "-";

const matches = (option: Option, word: string): boolean =>
  option.long === word || option.short === word;

const BOOTSTRAP = "--bootstrap=";

const takesValue = (option: Option): boolean => option.required || option.optional;

interface Position {
  readonly command: Command;
  /** Words that are neither command, option nor an option's value. */
  readonly operands: readonly string[];
  /** The option whose value the last word is. */
  readonly option: Option | undefined;
  readonly bootstrap: string | undefined;
  readonly isBehindDashes: boolean;
}

/** Walks the words before the last one. */
class Walk implements Position {
  command: Command;
  option: Option | undefined;
  bootstrap: string | undefined;
  isBehindDashes = false;
  readonly operands: string[] = [];

  constructor(program: Command) {
    this.command = program;
  }

  take(word: string): void {
    if (this.option !== undefined) {
      this.#value(word, this.option);
    } else if (this.isBehindDashes || !isOption(word)) {
      this.#operand(word);
    } else if (word === "--") {
      this.isBehindDashes = true;
    } else {
      this.#option(word);
    }
  }

  #value(word: string, option: Option): void {
    this.bootstrap = option.long === "--bootstrap" ? word : this.bootstrap;
    this.option = undefined;
  }

  #option(word: string): void {
    const found = this.command.options.find((candidate) => matches(candidate, word));
    this.option = found !== undefined && takesValue(found) ? found : undefined;
    if (word.startsWith(BOOTSTRAP)) {
      this.bootstrap = word.slice(BOOTSTRAP.length);
    }
  }

  #operand(word: string): void {
    const child = this.command.commands.find((one) => one.name() === word);
    if (child !== undefined && this.operands.length === 0) {
      this.command = child;
    } else {
      this.operands.push(word);
    }
  }
}

function walk(program: Command, words: readonly string[]): Position {
  const position = new Walk(program);
  for (const word of words) {
    position.take(word);
  }
  return position;
}

function optionCandidates({ options }: Command): Candidate[] {
  const shown = options.filter((option) => !option.hidden && option.long !== undefined);
  return [
    ...shown.map((option) => ({ word: option.long ?? "", description: option.description })),
    { word: "--help", description: "display help for command" },
  ];
}

/** Topics are what `<topic>` is, and names below `topics`, but for the one that is to be created. */
function isTopic(argument: Argument | undefined, command: Command): boolean {
  const name = argument?.name();
  const isOfTopics = command.parent?.name() === "topics" && command.name() !== "create";
  return name === "topic" || (name === "name" && isOfTopics);
}

async function valueCandidates(
  position: Position,
  sources: CandidateSources,
): Promise<Candidate[]> {
  const { bootstrap, option } = position;
  const plain = (words: readonly string[]) => words.map((word) => ({ word, description: "" }));
  if (option?.long === "--topic") {
    return plain(await sources.topics(bootstrap));
  }
  if (option?.long === "--profile") {
    return plain(sources.profiles());
  }
  return plain(option?.argChoices ?? []);
}

async function operandCandidates(
  position: Position,
  sources: CandidateSources,
): Promise<Candidate[]> {
  const { bootstrap, command, operands } = position;
  const last = command.registeredArguments.at(-1);
  const argument =
    command.registeredArguments[operands.length] ?? (last?.variadic ? last : undefined);
  const plain = (words: readonly string[]) => words.map((word) => ({ word, description: "" }));
  if (argument?.argChoices !== undefined) {
    return plain(argument.argChoices);
  }
  if (isTopic(argument, command)) {
    const given = new Set(operands);
    return plain((await sources.topics(bootstrap)).filter((name) => !given.has(name)));
  }
  return argument?.name() === "name" && command.parent?.name() === "profile"
    ? plain(sources.profiles())
    : [];
}

/** @param words behind `millrace`, the last being typed (possibly empty) */
export async function findCandidates(
  program: Command,
  words: readonly string[],
  sources: CandidateSources,
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? "";
  const position = walk(program, words.slice(0, -1));
  const { command, isBehindDashes, option } = position;
  const found: Candidate[] = [];
  if (option !== undefined) {
    found.push(...(await valueCandidates(position, sources)));
  } else if (isOption(typed) && !isBehindDashes) {
    found.push(...optionCandidates(command));
  } else if (command.commands.length > 0) {
    const { commands } = command;
    const shown = commands.filter((child) =>
      program.createHelp().visibleCommands(command).includes(child),
    );
    found.push(...shown.map((child) => ({ word: child.name(), description: child.description() })));
  } else {
    found.push(...(await operandCandidates(position, sources)));
  }
  return found.filter(({ word }) => word.startsWith(typed));
}
