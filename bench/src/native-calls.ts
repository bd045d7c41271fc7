// System calls that Node does not offer, through koffi, a prebuilt FFI package. It is installed for the run into a
// scratch directory, without its install script: nobody else needs it. Linux with glibc.

import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const KOFFI = "koffi@3.3.4";

/** The part of koffi that is used. */
interface NativeFunction {
  (...args: unknown[]): number;
  async(...args: unknown[]): void;
}

interface Koffi {
  load(name: string): { func(declaration: string): NativeFunction };
  errno(): number;
  view(pointer: unknown, bytes: number): ArrayBuffer;
}

export interface NativeCalls {
  readonly errno: () => number;
  /** On a thread of Node's pool; resolves with what the call returns. */
  sendfile(socket: number, file: number, position: number, bytes: number): Promise<number>;
  /** A blocking socket, connected to a port of 127.0.0.1. */
  connect(port: number): number;
  /** Writes all; synchronously. `more`: the kernel may wait for what follows. */
  send(socket: number, bytes: Uint8Array, more: boolean): void;
  close(descriptor: number): void;
  /** Space for the first bytes of a file; `keepSize`: without making it longer. */
  fallocate(file: number, bytes: number, keepSize: boolean): void;
  /** The page cache lets go of a file that is on the disk. */
  dropPageCache(path: string): void;
  /** Memory that begins at a page. */
  alignedBuffer(bytes: number): Uint8Array;
  /** A file's bytes as memory. */
  map(file: number, bytes: number): { bytes: Uint8Array; unmap(): void };
}

const AF_INET = 2;
const SOCK_STREAM = 1;
const MSG_MORE = 0x8000;
const MSG_NOSIGNAL = 0x4000;
const FALLOC_FL_KEEP_SIZE = 1;
const POSIX_FADV_DONTNEED = 4;
const PROT_READ = 1;
const MAP_SHARED = 1;
const PAGE_BYTES = 4096;

export function loadNativeCalls(scratch: string): NativeCalls {
  execFileSync(
    "npm",
    ["install", "--prefix", scratch, "--no-save", "--ignore-scripts", "--no-audit", KOFFI],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const koffi = createRequire(join(scratch, "package.json"))("koffi") as Koffi;
  const libc = koffi.load("libc.so.6");
  const sendfile = libc.func(
    "int64_t sendfile(int out, int in, _Inout_ int64_t *offset, uint64_t count)",
  );
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const connect = libc.func("int connect(int fd, const uint8_t *address, uint32_t length)");
  const send = libc.func("int64_t send(int fd, const uint8_t *bytes, uint64_t length, int flags)");
  const close = libc.func("int close(int fd)");
  const fallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
  const fadvise = libc.func(
    "int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)",
  );
  const alignedAlloc = libc.func("void *aligned_alloc(uint64_t alignment, uint64_t size)");
  const mmap = libc.func(
    "void *mmap(void *address, uint64_t length, int protection, int flags, int fd, int64_t offset)",
  );
  const munmap = libc.func("int munmap(void *address, uint64_t length)");

  const checked = (name: string, result: number): number => {
    if (result < 0) {
      throw new Error(`${name} failed: errno ${koffi.errno()}`);
    }
    return result;
  };
  return {
    errno: () => koffi.errno(),
    sendfile: (out, file, position, bytes) =>
      new Promise((resolve, reject) => {
        sendfile.async(out, file, [position], bytes, (error: Error | null, sent: number) => {
          if (error !== null || sent < 0) {
            reject(error ?? new Error("sendfile failed"));
          } else {
            resolve(sent);
          }
        });
      }),
    connect: (port) => {
      const descriptor = checked("socket", socket(AF_INET, SOCK_STREAM, 0));
      const address = Uint8Array.of(AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1);
      const padded = new Uint8Array(16);
      padded.set(address);
      checked("connect", connect(descriptor, padded, padded.length));
      return descriptor;
    },
    send: (descriptor, bytes, more) => {
      const flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
      for (let at = 0; at < bytes.length; ) {
        const rest = bytes.subarray(at);
        at += checked("send", send(descriptor, rest, rest.length, flags));
      }
    },
    close: (descriptor) => void close(descriptor),
    fallocate: (file, bytes, keepSize) => {
      checked("fallocate", fallocate(file, keepSize ? FALLOC_FL_KEEP_SIZE : 0, 0, bytes));
    },
    dropPageCache: (path) => {
      const file = openSync(path, "r");
      checked("posix_fadvise", -fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
      closeSync(file);
    },
    alignedBuffer: (bytes) => new Uint8Array(koffi.view(alignedAlloc(PAGE_BYTES, bytes), bytes)),
    map: (file, bytes) => {
      const pointer = mmap(null, bytes, PROT_READ, MAP_SHARED, file, 0);
      return {
        bytes: new Uint8Array(koffi.view(pointer, bytes)),
        unmap: () => void munmap(pointer, bytes),
      };
    },
  };
}
