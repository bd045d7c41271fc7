// Small file systems of a test's own. Mounting takes root and a kernel that allows it; where that is missing, the
// tests that need it say so in their names.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function mount(path: string, options: string): string | undefined {
  const { status, stderr, error } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", options, "millrace-test", path],
    { encoding: "utf8" },
  );
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

function unmount(path: string): void {
  // Lazily: a process that is on its way out may still have files open.
  spawnSync("umount", ["--lazy", path]);
}

/** Why nothing can be mounted here, as the end of a test's name; undefined when it can. */
export const mountProblem: string | undefined = (() => {
  const path = mkdtempSync(join(tmpdir(), "millrace-mount-"));
  const problem = mount(path, "size=1m");
  unmount(path);
  rmSync(path, { recursive: true, force: true });
  return problem === undefined ? undefined : ` [skipped: no tmpfs can be mounted: ${problem}]`;
})();

/** Mounts a tmpfs; the returned function takes it away, whatever is in it. @throws Error */
export function mountTmpfs(path: string, options: string): () => void {
  const problem = mount(path, options);
  if (problem !== undefined) {
    throw new Error(`mounting a tmpfs at ${path} failed: ${problem}`);
  }
  return () => unmount(path);
}
