import { execFileSync } from "node:child_process";
import { pbkdf2 } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFileError } from "./file-errors.js";
import { nodeFileSystem } from "./node-file-system.js";

const derive = promisify(pbkdf2);

let root = "";
beforeEach(() => {
  root = fs.mkdtempSync(`${tmpdir()}/millrace-file-`);
});
afterEach(() => {
  fs.rmSync(root, { recursive: true, force: true });
});

const systemError = (code: string): Error => Object.assign(new Error(`${code}: refused`), { code });

describe("Node's files", () => {
  it("translate the system's errors", () => {
    const codes = ["ENOENT", "EEXIST", "ENOTEMPTY", "EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT"];
    const more = ["EMFILE", "ENFILE", "EIO"];
    const seen = [...codes, ...more].map(
      (code) => toFileError(systemError(code), "open", "/x").code,
    );
    expect(seen).toEqual([
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "NOT_EMPTY",
      ...new Array<string>(3).fill("PERMISSION_DENIED"),
      ...new Array<string>(2).fill("STORAGE_FULL"),
      ...new Array<string>(2).fill("TOO_MANY_OPEN_FILES"),
      "IO_ERROR",
    ]);
  });

  it("say operation and path, and keep the cause", () => {
    const cause = systemError("EACCES");
    const error = toFileError(cause, "open", "/data/log");
    expect(error.message).toBe("cannot open /data/log: EACCES: refused");
    expect(error.cause).toBe(cause);
  });

  it.runIf(process.platform === "linux")(
    "give up creating a directory where the kernel allows none",
    async () => {
      for (const path of ["/proc/millrace", "/proc/millrace/below"]) {
        await expect(nodeFileSystem.createDirectory(path)).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
      }
    },
  );

  it("do not take a file for a directory, nor for the parent of one", async () => {
    fs.writeFileSync(`${root}/file`, "precious");
    await expect(nodeFileSystem.createDirectory(`${root}/file`)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await expect(nodeFileSystem.createDirectory(`${root}/file/a/b`)).rejects.toThrow("ENOTDIR");
    expect(fs.readFileSync(`${root}/file`, "utf8")).toBe("precious");
  });

  it("wait with closing for what is under way, so that no write lands in another file", async () => {
    const file = await nodeFileSystem.open(`${root}/file`, "createNew");
    const order: string[] = [];
    const bytes = new Uint8Array(64 * 1024 * 1024);
    const written = file.write([bytes], 0).finally(() => order.push("written"));
    const closed = file.close().finally(() => order.push("closed"));
    await expect(file.write([bytes], 0)).rejects.toMatchObject({ code: "IO_ERROR" });
    await closed;
    expect(await written).toBe(bytes.length);
    expect(order).toEqual(["written", "closed"]);
  });

  it("write what a chunk holds when the pool gets to it: until then it belongs to the file", async () => {
    // With every thread busy the write has to wait, so the change is surely made before it.
    const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
    const busy = Array.from({ length: threads }, () =>
      derive("password", "salt", 100_000, 32, "sha512"),
    );
    const file = await nodeFileSystem.open(`${root}/file`, "createNew");
    const moreBusy = busy.map(() => derive("password", "salt", 100_000, 32, "sha512"));
    const chunk = new Uint8Array(1_000).fill(1);
    const write = file.write([chunk], 0);
    chunk.fill(2);
    expect(await write).toBe(1_000);
    await Promise.all([...busy, ...moreBusy]);
    await file.close();
    expect(fs.readFileSync(`${root}/file`).every((byte) => byte === 2)).toBe(true);
  });

  it("do not follow Node's thread pool order: callers await a write before the one that builds on it", async () => {
    const file = await nodeFileSystem.open(`${root}/file`, "createNew");
    const counts = await Promise.all(
      Array.from({ length: 100 }, (_, index) => file.write([Uint8Array.of(index)], index)),
    );
    await file.close();
    expect(counts.every((count) => count === 1)).toBe(true);
    expect([...fs.readFileSync(`${root}/file`)]).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

/** Mounts a file system of 1 MiB where that is allowed; undefined elsewhere. */
function mountSmallDisk(path: string): (() => void) | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path], { stdio: "ignore" });
  } catch {
    // Not root, or a container without the right to mount.
    return undefined;
  }
  return () => execFileSync("umount", ["-l", path]);
}

describe("a full disk", () => {
  it("gives a short count without an error, then STORAGE_FULL (where tmpfs can be mounted)", async (context) => {
    const unmount = mountSmallDisk(root);
    if (unmount === undefined) {
      context.skip("mounting a tmpfs needs root");
      return;
    }
    try {
      const file = await nodeFileSystem.open(`${root}/file`, "createNew");
      const chunks = [new Uint8Array(900_000), new Uint8Array(900_000)];
      const count = await file.write(chunks, 0);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThan(1_800_000);
      await expect(file.write(chunks, count)).rejects.toMatchObject({ code: "STORAGE_FULL" });
      expect(() => file.writeSync(chunks, count)).toThrow(
        expect.objectContaining({ code: "STORAGE_FULL" }),
      );
      expect(await nodeFileSystem.availableBytes(root)).toBe(0);
      await file.close();
    } finally {
      unmount();
    }
  });
});
