// Where things are: the checkout, what was fetched (kept between runs, ignored by git), and programs on the PATH.

import { accessSync, constants, existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** bench/peers */
export const here = fileURLToPath(new URL("..", import.meta.url));
export const checkout = fileURLToPath(new URL("../../..", import.meta.url));
export const cacheDirectory = join(checkout, "node_modules", ".cache", "bench-peers");
export const builtDirectory = join(here, "dist");

/** The program's full path: on the PATH, or where Debian and Go put what is not on everybody's. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/sbin",
    join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin"),
    join(cacheDirectory, "go", "bin"),
  ];
  for (const folder of folders) {
    const path = join(folder, name);
    if (existsSync(path)) {
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not a program.
      }
    }
  }
  return undefined;
}

/** What a program said, without where things are on this machine: results are for others too. */
export const withoutPaths = (text: string): string =>
  text.replaceAll(
    /(?<![\w.:/@-])(?:\/[\w.@+~-]+){2,}/g,
    (path) => `.../${path.slice(path.lastIndexOf("/") + 1)}`,
  );
