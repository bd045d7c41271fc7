// Run by `npm pack` and `npm publish` in a package's folder: a clean build (tsc never removes the output of a
// source that is gone) and the licence, which npm only takes from the package's own folder.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = process.cwd();

rmSync(join(folder, "dist"), { recursive: true, force: true });
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
execFileSync(process.execPath, [tsc, "-b", "tsconfig.json"], {
  cwd: folder,
  stdio: ["ignore", 2, 2],
});
if (!existsSync(join(folder, "dist"))) {
  throw new Error(`${folder}: the build made no dist`);
}
copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
