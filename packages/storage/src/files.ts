// Small things every part of the engine does with files: write all or fail, read all, replace a file atomically.

import {
  createTextDecoder,
  createTextEncoder,
  FileError,
  type FileHandle,
  type FileSystem,
} from "@millrace/runtime";
import { TEMPORARY_SUFFIX } from "./core/segment-name.js";

/** Up to so many bytes at once where a file is read or rewritten from end to end. */
export const CHUNK_BYTES = 1024 * 1024;

/**
 * Writes every byte or throws. A short count without an error is how a filling disk shows itself (the next
 * write would fail), so it becomes `STORAGE_FULL`.
 */
export async function writeFully(
  file: FileHandle,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<void> {
  const expected = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  assertWhole(file, expected, await file.write(chunks, position));
}

/** @throws FileError `STORAGE_FULL` when fewer bytes were written than given. */
export function assertWhole(file: FileHandle, expected: number, written: number): void {
  if (written !== expected) {
    throw new FileError(
      "STORAGE_FULL",
      file.path,
      `${file.path}: only ${written} of ${expected} bytes could be written`,
    );
  }
}

/** What a look into a file needs. */
export type ReadableFile = Pick<FileHandle, "read">;

/** Reads exactly `length` bytes; undefined when the file ends before. */
export async function readFully(
  file: ReadableFile,
  position: number,
  length: number,
): Promise<Uint8Array | undefined> {
  const target = new Uint8Array(length);
  const count = await file.read(target, position);
  return count === length ? target : undefined;
}

export interface ReplaceFileOptions {
  readonly directory: string;
  readonly name: string;
  readonly content: Uint8Array | string;
}

/**
 * Puts a file in place with this content, durably: written beside it, synced, renamed, directory synced. A crash
 * leaves the old file or the new one.
 */
export async function replaceFile(
  fileSystem: FileSystem,
  options: ReplaceFileOptions,
): Promise<void> {
  const { directory, name, content } = options;
  const path = `${directory}/${name}`;
  const temporary = path + TEMPORARY_SUFFIX;
  const bytes = typeof content === "string" ? createTextEncoder().encode(content) : content;
  await removeIfPresent(fileSystem, temporary);
  const file = await fileSystem.open(temporary, "createNew");
  try {
    await writeFully(file, [bytes], 0);
    await file.sync();
  } catch (error) {
    // On a full disk what was written would take the space that others wait for.
    await file.truncate(0).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  await fileSystem.rename(temporary, path);
  await fileSystem.syncDirectory(directory);
}

export async function removeIfPresent(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.removeFile(path);
    return true;
  } catch (error) {
    return ignoreMissing(error, false);
  }
}

export async function exists(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.status(path);
    return true;
  } catch (error) {
    return ignoreMissing(error, false);
  }
}

/** The whole file; undefined when there is none. */
export async function readIfPresent(
  fileSystem: FileSystem,
  path: string,
): Promise<Uint8Array | undefined> {
  try {
    return await fileSystem.readFile(path);
  } catch (error) {
    return ignoreMissing(error, undefined);
  }
}

/** The whole file as text; undefined when there is none. */
export async function readTextIfPresent(
  fileSystem: FileSystem,
  path: string,
): Promise<string | undefined> {
  const bytes = await readIfPresent(fileSystem, path);
  return bytes === undefined ? undefined : createTextDecoder().decode(bytes);
}

export function isFileError(error: unknown, code: FileError["code"]): boolean {
  return error instanceof FileError && error.code === code;
}

function ignoreMissing<T>(error: unknown, instead: T): T {
  if (isFileError(error, "NOT_FOUND")) {
    return instead;
  }
  throw error;
}
