// What every FileSystem promises while nothing crashes: names, positions, counts, errors, the lock. What a
// crash may take away is the simulated disk's own subject; a full disk needs a small file system.

import { type FileSystem, joinPath } from "../file-system.js";
import { createTextDecoder, createTextEncoder } from "../platform.js";
import { fileHandleCases } from "./file-handle-contract.js";
import { type ContractHarness, caseRunner, rejectionCode, type TestFramework } from "./harness.js";

export interface FileSystemSubject {
  readonly fileSystem: FileSystem;
  /** An existing, empty directory of this case's own. */
  readonly root: string;
}

const bytesOf = (text: string): Uint8Array => createTextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => createTextDecoder().decode(bytes);

/** Creates a file with this content. */
async function putFile(fileSystem: FileSystem, path: string, content: string): Promise<void> {
  const file = await fileSystem.open(path, "createNew");
  await file.write([bytesOf(content)], 0);
  await file.sync();
  await file.close();
}

export function fileSystemContract(
  framework: TestFramework,
  harness: ContractHarness<FileSystemSubject>,
): void {
  framework.describe("a file system", () => {
    framework.describe("opening", () => openingCases(framework, harness));
    framework.describe("a file handle", () => fileHandleCases(framework, harness));
    framework.describe("directories", () => directoryCases(framework, harness));
    framework.describe("renaming and removing", () => renamingCases(framework, harness));
    framework.describe("the directory lock", () => lockCases(framework, harness));
  });
}

function openingCases(framework: TestFramework, harness: ContractHarness<FileSystemSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("refuses to read a file that is missing", async ({ fileSystem, root }) => {
    const path = joinPath(root, "missing");
    expect(await rejectionCode(fileSystem.open(path, "read"))).toBe("NOT_FOUND");
    expect(await rejectionCode(fileSystem.readFile(path))).toBe("NOT_FOUND");
    expect(await rejectionCode(fileSystem.status(path))).toBe("NOT_FOUND");
  });

  test("names the path in its errors", async ({ fileSystem, root }) => {
    const path = joinPath(root, "missing");
    const error = await fileSystem.open(path, "read").catch((reason: unknown) => reason);
    expect((error as { path?: unknown }).path).toBe(path);
    expect((error as Error).message).toContain("missing");
  });

  test("createNew creates, and fails when the file exists", async ({ fileSystem, root }) => {
    const path = joinPath(root, "new");
    await putFile(fileSystem, path, "kept");
    expect(await rejectionCode(fileSystem.open(path, "createNew"))).toBe("ALREADY_EXISTS");
    expect(textOf(await fileSystem.readFile(path))).toBe("kept");
  });

  test("readWrite creates what is missing and never truncates", async ({ fileSystem, root }) => {
    const path = joinPath(root, "file");
    const first = await fileSystem.open(path, "readWrite");
    await first.write([bytesOf("content")], 0);
    await first.close();
    const second = await fileSystem.open(path, "readWrite");
    expect(await second.size()).toBe(7);
    await second.close();
    expect(textOf(await fileSystem.readFile(path))).toBe("content");
  });

  test("refuses every mode when the parent is missing", async ({ fileSystem, root }) => {
    const path = joinPath(root, "nowhere", "file");
    for (const mode of ["read", "readWrite", "createNew"] as const) {
      expect(await rejectionCode(fileSystem.open(path, mode))).toBe("NOT_FOUND");
    }
  });

  test("reads an empty file as nothing", async ({ fileSystem, root }) => {
    const path = joinPath(root, "empty");
    await putFile(fileSystem, path, "");
    expect((await fileSystem.readFile(path)).length).toBe(0);
  });
}

function directoryCases(
  framework: TestFramework,
  harness: ContractHarness<FileSystemSubject>,
): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("creates missing parents, and an existing directory is fine", async (subject) => {
    const { fileSystem, root } = subject;
    const path = joinPath(root, "a", "b", "c");
    await fileSystem.createDirectory(path);
    await fileSystem.createDirectory(path);
    expect((await fileSystem.status(path)).kind).toBe("directory");
  });

  test("does not create a directory where a file is", async ({ fileSystem, root }) => {
    const path = joinPath(root, "file");
    await putFile(fileSystem, path, "x");
    expect(await rejectionCode(fileSystem.createDirectory(path))).toBe("ALREADY_EXISTS");
  });

  test("lists entries with their kinds", async ({ fileSystem, root }) => {
    expect(await fileSystem.readDirectory(root)).toEqual([]);
    await putFile(fileSystem, joinPath(root, "file"), "x");
    await fileSystem.createDirectory(joinPath(root, "directory", "below"));
    const entries = await fileSystem.readDirectory(root);
    expect(entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))).toEqual([
      { name: "directory", kind: "directory" },
      { name: "file", kind: "file" },
    ]);
  });

  test("refuses to list what is missing", async ({ fileSystem, root }) => {
    const path = joinPath(root, "missing");
    expect(await rejectionCode(fileSystem.readDirectory(path))).toBe("NOT_FOUND");
  });

  test("syncs a directory, and refuses when it is missing", async ({ fileSystem, root }) => {
    await fileSystem.syncDirectory(root);
    const path = joinPath(root, "missing");
    expect(await rejectionCode(fileSystem.syncDirectory(path))).toBe("NOT_FOUND");
  });

  test("tells the status of a file and of a directory", async ({ fileSystem, root }) => {
    const path = joinPath(root, "file");
    await putFile(fileSystem, path, "12345");
    const status = await fileSystem.status(path);
    expect(status.kind).toBe("file");
    expect(status.size).toBe(5);
    expect(status.modifiedMs).toBeGreaterThan(0);
    expect((await fileSystem.status(root)).kind).toBe("directory");
  });

  test("tells how many bytes can still be written", async ({ fileSystem, root }) => {
    expect(await fileSystem.availableBytes(root)).toBeGreaterThan(0);
  });
}

function renamingCases(
  framework: TestFramework,
  harness: ContractHarness<FileSystemSubject>,
): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("renames a file and replaces an existing one", async ({ fileSystem, root }) => {
    const [from, to] = [joinPath(root, "from"), joinPath(root, "to")];
    await putFile(fileSystem, from, "new");
    await putFile(fileSystem, to, "old");
    await fileSystem.rename(from, to);
    await fileSystem.syncDirectory(root);
    expect(textOf(await fileSystem.readFile(to))).toBe("new");
    expect(await rejectionCode(fileSystem.status(from))).toBe("NOT_FOUND");
  });

  test("renames a directory with all below it", async ({ fileSystem, root }) => {
    await fileSystem.createDirectory(joinPath(root, "from", "below"));
    await putFile(fileSystem, joinPath(root, "from", "below", "file"), "deep");
    await fileSystem.rename(joinPath(root, "from"), joinPath(root, "to"));
    const moved = await fileSystem.readFile(joinPath(root, "to", "below", "file"));
    expect(textOf(moved)).toBe("deep");
    expect(await rejectionCode(fileSystem.status(joinPath(root, "from")))).toBe("NOT_FOUND");
  });

  test("does not rename a directory onto one that is not empty", async ({ fileSystem, root }) => {
    await fileSystem.createDirectory(joinPath(root, "from"));
    await fileSystem.createDirectory(joinPath(root, "to", "below"));
    const work = fileSystem.rename(joinPath(root, "from"), joinPath(root, "to"));
    expect(await rejectionCode(work)).toBe("NOT_EMPTY");
  });

  test("refuses to rename what is missing", async ({ fileSystem, root }) => {
    const work = fileSystem.rename(joinPath(root, "missing"), joinPath(root, "to"));
    expect(await rejectionCode(work)).toBe("NOT_FOUND");
  });

  test("keeps a renamed file readable through its open handle", async ({ fileSystem, root }) => {
    const path = joinPath(root, "file");
    await putFile(fileSystem, path, "abc");
    const file = await fileSystem.open(path, "readWrite");
    await fileSystem.rename(path, joinPath(root, "renamed"));
    await file.write([bytesOf("d")], 3);
    await file.close();
    expect(textOf(await fileSystem.readFile(joinPath(root, "renamed")))).toBe("abcd");
  });

  test("removes a file once", async ({ fileSystem, root }) => {
    const path = joinPath(root, "file");
    await putFile(fileSystem, path, "x");
    await fileSystem.removeFile(path);
    expect(await rejectionCode(fileSystem.removeFile(path))).toBe("NOT_FOUND");
    expect(await fileSystem.readDirectory(root)).toEqual([]);
  });

  test("removes a directory and all below it", async ({ fileSystem, root }) => {
    await fileSystem.createDirectory(joinPath(root, "a", "b"));
    await putFile(fileSystem, joinPath(root, "a", "b", "file"), "x");
    await fileSystem.removeDirectory(joinPath(root, "a"));
    expect(await fileSystem.readDirectory(root)).toEqual([]);
    const again = fileSystem.removeDirectory(joinPath(root, "a"));
    expect(await rejectionCode(again)).toBe("NOT_FOUND");
  });
}

function lockCases(framework: TestFramework, harness: ContractHarness<FileSystemSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("excludes a second holder until it is released", async ({ fileSystem, root }) => {
    const lock = await fileSystem.lockDirectory(root);
    expect(await rejectionCode(fileSystem.lockDirectory(root))).toBe("LOCKED");
    await lock.release();
    const again = await fileSystem.lockDirectory(root);
    await again.release();
  });

  test("is released once, however often it is asked", async ({ fileSystem, root }) => {
    const first = await fileSystem.lockDirectory(root);
    await first.release();
    const second = await fileSystem.lockDirectory(root);
    await first.release();
    expect(await rejectionCode(fileSystem.lockDirectory(root))).toBe("LOCKED");
    await second.release();
  });

  test("is granted to exactly one of many who ask at once", async ({ fileSystem, root }) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => fileSystem.lockDirectory(root)),
    );
    const granted = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(granted.length).toBe(1);
    await Promise.all(granted.map((lock) => lock.release()));
  });

  test("of one directory does not touch another", async ({ fileSystem, root }) => {
    const [left, right] = [joinPath(root, "left"), joinPath(root, "right")];
    await fileSystem.createDirectory(left);
    await fileSystem.createDirectory(right);
    const locks = [await fileSystem.lockDirectory(left), await fileSystem.lockDirectory(right)];
    await Promise.all(locks.map((lock) => lock.release()));
  });

  test("refuses a directory that is missing", async ({ fileSystem, root }) => {
    const path = joinPath(root, "missing");
    expect(await rejectionCode(fileSystem.lockDirectory(path))).toBe("NOT_FOUND");
  });
}
