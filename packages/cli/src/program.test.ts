import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { catalogue } from "./catalogue.js";
import type { CommandContext } from "./context.js";
import { exitCodes } from "./exit-codes.js";
import { commandDefaults } from "./profile-defaults.js";
import { createProgram } from "./program.js";
import { Terminal, wantsColor } from "./terminal.js";

function createContext(env: Readonly<Record<string, string>> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const context: CommandContext = {
    terminal: new Terminal({ stdin: new PassThrough(), stdout, stderr }, env),
    env,
    defaults: commandDefaults([], env),
    signal: new AbortController().signal,
    exitCode: exitCodes.OK,
  };
  const read = (stream: PassThrough): string => String(stream.read() ?? "");
  return { context, stdout: () => read(stdout), stderr: () => read(stderr) };
}

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

const NO_FILES = { XDG_CONFIG_HOME: "/nowhere" };

/** Options as a README or an example may name them. */
function optionNames(command: Command): Set<string> {
  const names = command.options.flatMap(({ long, short }) => [long, short]);
  return new Set([...names, "--help"].filter((name) => name !== undefined));
}

const wordsOf = (line: string): string[] =>
  (line.split(/\s#\s/)[0] ?? "").match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", "")) ??
  [];

describe("the command tree", async () => {
  const program = await createProgram(createContext(NO_FILES).context);
  const commands = leaves(program).map((command) => [pathOf(command).join(" "), command] as const);

  it.each(commands)(
    "gives `millrace %s` a summary, --json and examples whose options exist",
    async (name, command) => {
      const path = name.split(" ");
      const { context, stdout } = createContext(NO_FILES);
      const fresh = await createProgram(context, { argv: path });
      await expect(fresh.parseAsync([...path, "--help"], { from: "user" })).rejects.toMatchObject({
        exitCode: 0,
      });
      const help = stdout();
      expect(help).toContain("--json");
      const examples = help.split(/^Examples?:$/m)[1] ?? "";
      expect(examples).toMatch(new RegExp(`^ {2}\\$ .*millrace ${name}`, "m"));
      const known = optionNames(command);
      for (const line of examples.split("\n").filter((text) => text.includes(`millrace ${name}`))) {
        const [, rest = ""] = line.split(`millrace ${name}`);
        const used = wordsOf(rest.split(/[|)]/)[0] ?? "").filter((word) => /^--?[a-z]/i.test(word));
        expect([...known]).toEqual(expect.arrayContaining(used));
      }
    },
  );

  it("lists every command under the summary that its own help shows", () => {
    for (const { path, summary } of catalogue) {
      const command = commands.find(([name]) => name === path.join(" "))?.[1];
      expect(command?.description(), path.join(" ")).toBe(summary);
    }
  });

  it("has every option and command that the README names", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const all = new Set(leaves(program).flatMap((command) => [...optionNames(command)]));
    const named = readme.match(/(?<![\w-])--[a-z][a-z-]+/g) ?? [];
    const foreign = new Set(["--global", "--no-json"]);
    expect(named.filter((name) => !(all.has(name) || foreign.has(name)))).toEqual([]);
    for (const [name] of commands.filter(([path]) => path !== "complete")) {
      const [group = "", verb] = name.split(" ");
      expect(readme, name).toContain(verb ?? group);
    }
  });

  it("loads one command and lists the others", async () => {
    const { context } = createContext(NO_FILES);
    const one = await createProgram(context, { argv: ["topics", "list", "--json"] });
    const isWanted = (command: Command): boolean => pathOf(command).join(" ") === "topics list";
    expect(leaves(one).find(isWanted)?.options.length).toBeGreaterThan(1);
    const others = leaves(one).filter((command) => !isWanted(command));
    expect(others.flatMap((command) => command.options)).toEqual([]);
  });

  it("takes the broker from MILLRACE_BOOTSTRAP and says so", async () => {
    const { context, stdout } = createContext({
      ...NO_FILES,
      MILLRACE_BOOTSTRAP: "ws://elsewhere:1",
    });
    const fresh = await createProgram(context);
    const parsing = fresh.parseAsync(["topics", "list", "--help"], { from: "user" });
    await expect(parsing).rejects.toMatchObject({ exitCode: 0 });
    expect(stdout().replace(/\s+/g, " ")).toContain("ws://elsewhere:1, from MILLRACE_BOOTSTRAP");
  });

  it("tells a mistake on standard error and where to look", async () => {
    const { context, stdout, stderr } = createContext(NO_FILES);
    const program = await createProgram(context);
    const parsing = program.parseAsync(["topics", "lost"], { from: "user" });
    await expect(parsing).rejects.toMatchObject({ exitCode: 1 });
    expect(stdout()).toBe("");
    expect(stderr()).toMatch(/unknown command 'lost'[\s\S]*millrace topics --help/);
  });
});

describe("colours", () => {
  it("are for terminals that want them", () => {
    expect(wantsColor(true, {})).toBe(true);
    expect(wantsColor(false, {})).toBe(false);
    expect(wantsColor(true, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColor(true, { NO_COLOR: "" })).toBe(true);
    expect(wantsColor(true, { TERM: "dumb" })).toBe(false);
  });
});
