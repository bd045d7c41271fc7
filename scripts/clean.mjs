// Removes build outputs: of every workspace, or only of the one whose folder is given.

import { readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function workspaces() {
  return [
    ...["packages", "apps"].flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
    ),
    join(root, "tests"),
    join(root, "bench"),
  ];
}

const folders = process.argv[2] === undefined ? workspaces() : [resolve(process.argv[2])];
for (const folder of folders) {
  rmSync(join(folder, "dist"), { recursive: true, force: true });
}
