import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import type { CommandContext } from "./context.js";
import { exitCodes } from "./exit-codes.js";
import { createProgram } from "./program.js";
import { Terminal, wantsColor } from "./terminal.js";

function createContext(env: Readonly<Record<string, string>> = {}) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const context: CommandContext = {
    terminal: new Terminal({ stdin: new PassThrough(), stdout, stderr }, env),
    env,
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

describe("the command tree", () => {
  const paths = leaves(createProgram(createContext().context)).map(pathOf);

  it.each(paths.map((path) => [path.join(" "), path] as const))(
    "gives `millrace %s` a description, --json and an example that is one",
    async (_, path) => {
      const { context, stdout } = createContext();
      await expect(
        createProgram(context).parseAsync([...path, "--help"], { from: "user" }),
      ).rejects.toMatchObject({ exitCode: 0 });
      const help = stdout();
      expect(help).toContain("--json");
      expect(help).toMatch(new RegExp(`Examples?:\\n {2}\\$ .*millrace ${path.join(" ")}`));
    },
  );

  it("takes the broker from MILLRACE_BOOTSTRAP and says so", async () => {
    const { context, stdout } = createContext({ MILLRACE_BOOTSTRAP: "ws://elsewhere:1" });
    const parsing = createProgram(context).parseAsync(["topics", "list", "--help"], {
      from: "user",
    });
    await expect(parsing).rejects.toMatchObject({ exitCode: 0 });
    expect(stdout().replace(/\s+/g, " ")).toContain("ws://elsewhere:1, from MILLRACE_BOOTSTRAP");
  });

  it("tells a mistake on standard error and where to look", async () => {
    const { context, stdout, stderr } = createContext();
    const parsing = createProgram(context).parseAsync(["topics", "lost"], { from: "user" });
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
