// What every FileHandle promises: positional reads and writes with honest counts, sizes, syncs, closing.

import { type FileHandle, joinPath } from "../file-system.js";
import type { FileSystemSubject } from "./file-system-contract.js";
import {
  type Case,
  type ContractHarness,
  caseRunner,
  patternBytes,
  rejectionOf,
  sameBytes,
  type TestFramework,
} from "./harness.js";

type HandleCase = (file: FileHandle, subject: FileSystemSubject) => Promise<void>;

/** Opens a new file for the case and closes it afterwards. */
const withFile =
  (body: HandleCase): Case<FileSystemSubject> =>
  async (subject) => {
    const file = await subject.fileSystem.open(joinPath(subject.root, "file"), "createNew");
    try {
      await body(file, subject);
    } finally {
      await file.close();
    }
  };

const readAll = async (file: FileHandle): Promise<Uint8Array> => {
  const target = new Uint8Array(await file.size());
  const count = await file.read(target, 0);
  return target.subarray(0, count);
};

export function fileHandleCases(
  framework: TestFramework,
  harness: ContractHarness<FileSystemSubject>,
): void {
  writingCases(framework, harness);
  sizeCases(framework, harness);
}

function writingCases(framework: TestFramework, harness: ContractHarness<FileSystemSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test(
    "reads short only at the end, and nothing beyond it",
    withFile(async (file) => {
      await file.write([patternBytes(100)], 0);
      const target = new Uint8Array(64);
      expect(await file.read(target, 0)).toBe(64);
      expect(sameBytes(target, patternBytes(100).subarray(0, 64))).toBe(true);
      expect(await file.read(target, 64)).toBe(36);
      expect(sameBytes(target.subarray(0, 36), patternBytes(100).subarray(64))).toBe(true);
      expect(await file.read(target, 100)).toBe(0);
      expect(await file.read(target, 5_000)).toBe(0);
      expect(await file.read(new Uint8Array(0), 0)).toBe(0);
    }),
  );

  test(
    "reads into the view it is given and touches nothing around it",
    withFile(async (file) => {
      await file.write([new Uint8Array(10).fill(7)], 0);
      const whole = new Uint8Array(30);
      expect(await file.read(whole.subarray(10, 20), 0)).toBe(10);
      expect([...whole].join("")).toBe(`${"0".repeat(10)}${"7".repeat(10)}${"0".repeat(10)}`);
    }),
  );

  test(
    "writes chunks back to back and returns their sum",
    withFile(async (file) => {
      const bytes = patternBytes(5_000);
      const chunks = [
        bytes.subarray(0, 1),
        bytes.subarray(1, 1),
        bytes.subarray(1, 4_000),
        bytes.subarray(4_000),
      ];
      expect(await file.write(chunks, 0)).toBe(5_000);
      expect(sameBytes(await readAll(file), bytes)).toBe(true);
    }),
  );

  test(
    "writes thousands of chunks with one call (platforms bound a vector)",
    withFile(async (file) => {
      const bytes = patternBytes(6_000);
      const chunks = Array.from({ length: 3_000 }, (_, index) =>
        bytes.subarray(index * 2, index * 2 + 2),
      );
      expect(await file.write(chunks, 0)).toBe(6_000);
      expect(sameBytes(await readAll(file), bytes)).toBe(true);
      expect(file.writeSync(chunks, 6_000)).toBe(6_000);
      expect(await file.size()).toBe(12_000);
    }),
  );

  test(
    "writes nothing when there is nothing to write",
    withFile(async (file) => {
      expect(await file.write([], 0)).toBe(0);
      expect(await file.write([new Uint8Array(0)], 10)).toBe(0);
      expect(file.writeSync([], 10)).toBe(0);
      expect(await file.size()).toBe(0);
    }),
  );

  test(
    "overwrites in place and keeps the rest",
    withFile(async (file) => {
      await file.write([new Uint8Array(10).fill(1)], 0);
      await file.write([new Uint8Array(3).fill(2)], 4);
      expect([...(await readAll(file))].join("")).toBe("1111222111");
    }),
  );

  test(
    "fills a gap before a far write with zeros",
    withFile(async (file) => {
      await file.write([Uint8Array.of(9)], 5);
      expect([...(await readAll(file))]).toEqual([0, 0, 0, 0, 0, 9]);
    }),
  );

  test(
    "shows a synchronous write to the next read",
    withFile(async (file) => {
      expect(file.writeSync([patternBytes(50), patternBytes(50, 2)], 0)).toBe(100);
      const bytes = await readAll(file);
      expect(sameBytes(bytes.subarray(0, 50), patternBytes(50))).toBe(true);
      expect(sameBytes(bytes.subarray(50), patternBytes(50, 2))).toBe(true);
    }),
  );

  test(
    "leaves the chunks it wrote unchanged",
    withFile(async (file) => {
      const chunk = patternBytes(1_000);
      await file.write([chunk, chunk], 0);
      expect(sameBytes(chunk, patternBytes(1_000))).toBe(true);
    }),
  );
}

function sizeCases(framework: TestFramework, harness: ContractHarness<FileSystemSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test(
    "writes and reads several megabytes",
    withFile(async (file) => {
      const bytes = patternBytes(3 * 1024 * 1024);
      expect(await file.write([bytes], 0)).toBe(bytes.length);
      await file.sync();
      expect(sameBytes(await readAll(file), bytes)).toBe(true);
    }),
  );

  test(
    "truncates, and extends with zeros",
    withFile(async (file) => {
      await file.write([new Uint8Array(10).fill(1)], 0);
      await file.truncate(4);
      expect(await file.size()).toBe(4);
      await file.truncate(6);
      expect([...(await readAll(file))]).toEqual([1, 1, 1, 1, 0, 0]);
    }),
  );

  test(
    "can be synced, with and without something to sync",
    withFile(async (file) => {
      await file.sync();
      await file.write([patternBytes(10)], 0);
      await file.sync();
      await file.sync();
      expect(await file.size()).toBe(10);
    }),
  );

  test(
    "can be open twice; one handle sees what the other wrote",
    withFile(async (file, { fileSystem }) => {
      const reader = await fileSystem.open(file.path, "read");
      await file.write([patternBytes(20)], 0);
      expect(sameBytes(await readAll(reader), patternBytes(20))).toBe(true);
      await reader.close();
    }),
  );

  test(
    "refuses to write through a handle opened for reading",
    withFile(async (file, { fileSystem }) => {
      const reader = await fileSystem.open(file.path, "read");
      const error = await rejectionOf(reader.write([patternBytes(1)], 0));
      expect(error instanceof Error && error.name).toBe("FileError");
      await reader.close();
      expect(await file.size()).toBe(0);
    }),
  );

  test(
    "stays readable after the file was removed",
    withFile(async (file, { fileSystem }) => {
      await file.write([patternBytes(20)], 0);
      await fileSystem.removeFile(file.path);
      expect(sameBytes(await readAll(file), patternBytes(20))).toBe(true);
    }),
  );

  test(
    "closes twice, and refuses everything afterwards",
    withFile(async (file) => {
      await file.close();
      await file.close();
      for (const work of [
        () => file.read(new Uint8Array(1), 0),
        () => file.write([new Uint8Array(1)], 0),
        async () => file.writeSync([new Uint8Array(1)], 0),
        () => file.sync(),
        () => file.truncate(0),
        () => file.size(),
      ]) {
        const error = await rejectionOf(work());
        expect(error instanceof Error && error.name).toBe("FileError");
      }
    }),
  );
}
