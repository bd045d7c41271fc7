// Wrappers round parts of a runtime, for bugs that are planted through the seam: files, checksums and connections that
// behave a little differently.

import type { Compute, FileHandle, FileSystem, ListeningNetwork } from "@millrace/runtime";

/** Finds every checksum right: answers with the four bytes that stand in front of what is checked. */
export function believingCompute(compute: Compute): Compute {
  return {
    codecs: compute.codecs,
    compress: (codec, bytes) => compute.compress(codec, bytes),
    decompress: (codec, bytes, maxBytes) => compute.decompress(codec, bytes, maxBytes),
    crc32c: (bytes, seed) => {
      if (bytes.byteOffset < 4) {
        return compute.crc32c(bytes, seed);
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset - 4, 4);
      return view.getUint32(0);
    },
  };
}

/** Every open file behaves as `change` says. */
export function wrapFiles(
  fileSystem: FileSystem,
  change: (file: FileHandle) => Partial<FileHandle>,
): FileSystem {
  return {
    ...plainFileSystem(fileSystem),
    open: async (path, mode) => {
      const file = await fileSystem.open(path, mode);
      return { ...plainFile(file), ...change(file) };
    },
  };
}

function plainFile(file: FileHandle): FileHandle {
  return {
    path: file.path,
    read: (target, position) => file.read(target, position),
    write: (chunks, position) => file.write(chunks, position),
    writeSync: (chunks, position) => file.writeSync(chunks, position),
    sync: () => file.sync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  };
}

/** Says that an answer has left before it has: what it lies in is used again too early. */
export function leftAtOnce(network: ListeningNetwork): ListeningNetwork {
  return {
    dial: (url, options, attach) => network.dial(url, options, attach),
    listen: (options) =>
      network.listen({
        ...options,
        onConnection: (connection) =>
          options.onConnection(
            new Proxy(connection, {
              get: (target, name) => {
                if (name === "send") {
                  return (chunks: readonly Uint8Array[], onLeft?: () => void) => {
                    target.send(chunks);
                    onLeft?.();
                  };
                }
                const value: unknown = Reflect.get(target, name, target);
                return typeof value === "function" ? value.bind(target) : value;
              },
            }),
          ),
      }),
  };
}

/** The same file system as an object whose functions can be replaced one by one. */
export function plainFileSystem(fileSystem: FileSystem): FileSystem {
  return {
    open: (path, mode) => fileSystem.open(path, mode),
    readFile: (path) => fileSystem.readFile(path),
    status: (path) => fileSystem.status(path),
    createDirectory: (path) => fileSystem.createDirectory(path),
    readDirectory: (path) => fileSystem.readDirectory(path),
    rename: (from, to) => fileSystem.rename(from, to),
    removeFile: (path) => fileSystem.removeFile(path),
    removeDirectory: (path) => fileSystem.removeDirectory(path),
    syncDirectory: (path) => fileSystem.syncDirectory(path),
    lockDirectory: (path) => fileSystem.lockDirectory(path),
    availableBytes: (path) => fileSystem.availableBytes(path),
  };
}
