import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFileSystem } from "./node-file-system.js";

let root = "";
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/millrace-lock-`);
});
afterEach(() => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
  }
  rmSync(root, { recursive: true, force: true });
});

/** A process of its own that holds a lock socket as a holder does: listening under `.lock-ID`, saying "held". */
async function otherHolder(directory: string, id = "0123456789abcdef"): Promise<ChildProcess> {
  const script = `
    process.chdir(${JSON.stringify(directory)});
    require("node:net").createServer((socket) => socket.on("error", () => {}).end("held"))
      .listen("./.lock-${id}", () => process.stdout.write("ready"));
  `;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout ?? child, "data");
  return child;
}

describe.runIf(process.platform !== "win32")("the lock on a directory", () => {
  it("excludes a holder in another process, whichever name sorts first", async () => {
    for (const id of ["0000000000000000", "ffffffffffffffff"]) {
      const child = await otherHolder(root, id);
      await expect(nodeFileSystem.lockDirectory(root)).rejects.toMatchObject({ code: "LOCKED" });
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  it("is free at once after its holder was killed, and clears away what it left", async () => {
    const child = await otherHolder(root);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(readdirSync(root)).toEqual([".lock-0123456789abcdef"]);
    writeFileSync(`${root}/.locking-left`, "");
    const lock = await nodeFileSystem.lockDirectory(root);
    expect(readdirSync(root).length).toBe(1);
    await lock.release();
    expect(readdirSync(root)).toEqual([]);
  });

  it("counts a stopped process as its holder", async () => {
    const child = await otherHolder(root, "ffffffffffffffff");
    child.kill("SIGSTOP");
    await expect(nodeFileSystem.lockDirectory(root)).rejects.toMatchObject({ code: "LOCKED" });
    child.kill("SIGCONT");
  });

  it("works where the path is longer than a socket address", async () => {
    const deep = `${root}/${"long-directory-name/".repeat(12)}`;
    mkdirSync(deep, { recursive: true });
    expect(Buffer.byteLength(deep)).toBeGreaterThan(200);
    const lock = await nodeFileSystem.lockDirectory(deep);
    await expect(nodeFileSystem.lockDirectory(deep)).rejects.toMatchObject({ code: "LOCKED" });
    expect(readdirSync(deep).length).toBe(1);
    await lock.release();
    expect(readdirSync(deep)).toEqual([]);
    const child = await otherHolder(deep);
    await expect(nodeFileSystem.lockDirectory(deep)).rejects.toMatchObject({ code: "LOCKED" });
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await nodeFileSystem.lockDirectory(deep)).release();
  });

  it("is one lock for two ways to write the same path", async () => {
    const lock = await nodeFileSystem.lockDirectory(root);
    const work = nodeFileSystem.lockDirectory(`${root}/../${root.split("/").at(-1)}`);
    await expect(work).rejects.toMatchObject({ code: "LOCKED" });
    await lock.release();
  });

  it("goes to exactly one of many, over a dead socket, again and again", async () => {
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 6 }, () => nodeFileSystem.lockDirectory(root)),
      );
      const locks = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      expect(locks.length).toBe(1);
      await locks[0]?.release();
      expect(readdirSync(root)).toEqual([]);
    }
  });
});
