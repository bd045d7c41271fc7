// Node's file errors in the port's words.

import { FileError, type FileErrorCode } from "../file-system.js";

const codes: Readonly<Record<string, FileErrorCode>> = {
  ENOENT: "NOT_FOUND",
  EEXIST: "ALREADY_EXISTS",
  ENOTEMPTY: "NOT_EMPTY",
  EACCES: "PERMISSION_DENIED",
  EPERM: "PERMISSION_DENIED",
  EROFS: "PERMISSION_DENIED",
  ENOSPC: "STORAGE_FULL",
  EDQUOT: "STORAGE_FULL",
  EMFILE: "TOO_MANY_OPEN_FILES",
  ENFILE: "TOO_MANY_OPEN_FILES",
};

/** The errno name of a system error, as Node reports it. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** A FileError that names the operation and the path; a FileError is passed through. */
export function toFileError(error: unknown, operation: string, path: string): FileError {
  if (error instanceof FileError) {
    return error;
  }
  const errno = errnoOf(error);
  const why = error instanceof Error ? error.message : String(error);
  const code = codes[errno ?? ""] ?? "IO_ERROR";
  return new FileError(code, path, `cannot ${operation} ${path}: ${why}`, { cause: error });
}
