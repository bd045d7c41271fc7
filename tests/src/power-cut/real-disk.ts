// The real side of a power cut: reading a directory into a tree, putting a tree in a directory's place, and
// building the shim (needs gcc, and a platform with LD_PRELOAD).

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskImage, type Loss, type Tree } from "./disk-image.js";
import { readJournal } from "./journal.js";

/** Files and directories; sockets (the lock) are nothing that a disk keeps. */
export function readTree(directory: string): Tree {
  const tree: Tree = new Map();
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      tree.set(entry.name, readTree(path));
    } else if (entry.isFile()) {
      tree.set(entry.name, new Uint8Array(readFileSync(path)));
    }
  }
  return tree;
}

/** Replaces what the directory holds. */
export function writeTree(directory: string, tree: Tree): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, item] of tree) {
    const path = join(directory, name);
    if (item instanceof Map) {
      writeTree(path, item);
    } else {
      writeFileSync(path, item);
    }
  }
}

/** Why no power can be cut here; undefined when it can. */
export function powerCutProblem(): string | undefined {
  if (process.platform !== "linux") {
    return "power cuts need Linux (LD_PRELOAD)";
  }
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "power cuts need gcc (apt-get install gcc libc6-dev)";
  }
}

/** Compiles the shim; the path of the library. */
export function buildShim(): string {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const source = [join(here, "shim.c"), join(here, "../../src/power-cut/shim.c")].find((path) =>
    existsSync(path),
  );
  if (source === undefined) {
    throw new Error("tests/src/power-cut/shim.c is missing");
  }
  const library = join(mkdtempSync(join(tmpdir(), "millrace-shim-")), "shim.so");
  execFileSync("gcc", [
    "-O2",
    "-Wall",
    "-shared",
    "-fPIC",
    "-o",
    library,
    source,
    "-ldl",
    "-lpthread",
  ]);
  return library;
}

/** The environment of a process whose changes below `directory` are journaled. `failSync`: this sync fails. */
export function shimEnvironment(options: {
  library: string;
  directory: string;
  journal: string;
  failSync?: number;
}): Record<string, string> {
  return {
    LD_PRELOAD: options.library,
    POWER_CUT_DIRECTORY: options.directory,
    POWER_CUT_JOURNAL: options.journal,
    UV_USE_IO_URING: "0",
    ...(options.failSync === undefined ? {} : { POWER_CUT_FAIL_SYNC: String(options.failSync) }),
  };
}

/**
 * Puts the directory into the state in which a power cut would have left it. `before` is what it held when the
 * journal began.
 */
export function cutPower(options: {
  directory: string;
  journal: string;
  before: Tree;
  loss: Loss;
}): {
  lostBytes: number;
  lostNames: number;
} {
  const image = new DiskImage(options.directory, options.before);
  for (const record of readJournal(new Uint8Array(readFileSync(options.journal)))) {
    image.apply(record);
  }
  const { tree, lostBytes, lostNames } = image.cut(options.loss);
  writeTree(options.directory, tree);
  rmSync(options.journal, { force: true });
  return { lostBytes, lostNames };
}
