import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commandDefaults, profileOption } from "./profile-defaults.js";
import { profilePath, readProfileFile, writeProfileFile } from "./profile-file.js";

let directory = "";
const env = (extra: Record<string, string> = {}) => ({ XDG_CONFIG_HOME: directory, ...extra });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-profile-"));
  writeProfileFile(profilePath(env()), {
    current: "home",
    profiles: {
      home: { bootstrap: "ws://home:1" },
      work: { bootstrap: "ws://work:2", output: "json" },
    },
  });
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("the profile that counts", () => {
  it("is --profile, then MILLRACE_PROFILE, then the one in use; the environment's broker lies between", () => {
    const urlOf = (argv: string[], extra = {}) => commandDefaults(argv, env(extra)).bootstrap?.url;
    const environment = { MILLRACE_BOOTSTRAP: "ws://env:3" };
    expect(urlOf([])).toBe("ws://home:1");
    expect(urlOf([], { MILLRACE_PROFILE: "work" })).toBe("ws://work:2");
    expect(urlOf([], environment)).toBe("ws://env:3");
    expect(urlOf(["--profile", "work"], environment)).toBe("ws://work:2");
    expect(urlOf(["--profile=work"], { MILLRACE_PROFILE: "home" })).toBe("ws://work:2");
    expect(commandDefaults(["--profile", "work"], env()).json).toBe(true);
  });

  it("is no deliberate choice of a broker unless it was named for this command", () => {
    expect(commandDefaults([], env()).bootstrap?.isDeliberate).toBe(false);
    expect(commandDefaults(["--profile", "home"], env()).bootstrap?.isDeliberate).toBe(true);
  });

  it("must exist", () => {
    expect(() => commandDefaults(["--profile", "nope"], env())).toThrow(/no profile "nope"/);
    expect(() => commandDefaults(["--profile", "constructor"], env())).toThrow(/no profile/);
  });

  it("is not looked for behind --", () => {
    expect(profileOption(["produce", "--", "--profile", "x"])).toBeUndefined();
  });
});

describe("the profile file", () => {
  it("is empty where there is none", () => {
    expect(readProfileFile(join(directory, "none.json"))).toEqual({
      current: undefined,
      profiles: {},
    });
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["an unknown key", '{"profiles":{"a":{"bootstap":"ws://x"}}}'],
    ["a value that cannot be", '{"profiles":{"a":{"output":"xml"}}}'],
    ["a name that cannot be", '{"profiles":{"a b":{}}}'],
  ])("is refused with its path when it is %s", (_, text) => {
    const path = profilePath(env());
    writeFileSync(path, text);
    expect(() => readProfileFile(path)).toThrow(path);
  });

  it("is replaced as a whole", () => {
    const path = profilePath(env());
    writeProfileFile(path, { current: undefined, profiles: { a: {} } });
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ profiles: { a: {} } });
    expect(dirname(path)).toBe(join(directory, "millrace"));
  });
});
