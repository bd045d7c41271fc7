/**
 * Files in memory, in real time: for tests that want a broker without a disk. The simulated disk (`/sim`) is
 * another thing: it lives in virtual time and chooses its faults from a seed.
 * @packageDocumentation
 */
export { MemoryFileSystem, type MemoryFileSystemOptions } from "./memory-file-system.js";
