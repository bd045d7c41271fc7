import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/demo.mjs", import.meta.url));
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-demo-test-"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs the demo with its temporary files in a directory of ours. */
function demo(parameters: readonly string[], interruptAt?: RegExp) {
  const env = { ...process.env, TMPDIR: directory };
  const child = spawn(process.execPath, [script, ...parameters], { env });
  let output = "";
  const take = (text: string): void => {
    output += text;
    if (interruptAt?.test(output)) {
      child.kill("SIGINT");
    }
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  return new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once("close", (code) => resolve({ code, output }));
  });
}

const leftOvers = async (): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.startsWith("millrace-demo-"));

describe("the demo", () => {
  it("brings every line of a file through a kill -9, and leaves nothing behind", async () => {
    const input = join(directory, "lines.csv");
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index},line ${index * 7}`);
    await writeFile(input, `${lines.join("\r\n")}\r\n`);
    const { code, output } = await demo(["--input", input, "--rate", "20000"]);
    expect(output).toContain("Every record came through once and in order.");
    expect(output).toMatch(/kill -9 \d+: the broker is dead/);
    expect(output).toMatch(/restarted on port \d+ and the same directory/);
    expect(output).toMatch(/records received, each by its id +20,000/);
    expect(code).toBe(0);
    expect(await leftOvers()).toEqual([]);
  });

  it("cleans up when it is interrupted", async () => {
    const { code } = await demo(["--limit", "20000"], /producer \(pid/);
    expect(code).toBe(130);
    expect(await leftOvers()).toEqual([]);
  });

  it("ends with 1 when its input is not there", async () => {
    expect((await demo(["--input", join(directory, "missing.json")])).code).toBe(1);
  });
});
