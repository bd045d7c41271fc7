// The raw sequential read of one file that catching up is held against, cold or from the page cache. Linux.

import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, readSync } from "node:fs";
import { processFigures } from "./broker-process.js";

export interface RawRead {
  readonly seconds: number;
  readonly megabytes: number;
  /** Of these, what the kernel fetched from the disk for it. */
  readonly diskMegabytes: number;
}

/** The page cache lets go of the file; what is not on the disk yet goes there first. */
export function dropFromPageCache(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
  execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

/** Reads the file from end to end with requests of `requestBytes`, one after the other. */
export function readRaw(path: string, requestBytes: number): RawRead {
  const file = openSync(path, "r");
  const target = new Uint8Array(requestBytes);
  const diskBefore = processFigures(process.pid).diskReadMegabytes;
  const startedAt = performance.now();
  let position = 0;
  for (;;) {
    const count = readSync(file, target, 0, target.length, position);
    if (count === 0) {
      break;
    }
    position += count;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  closeSync(file);
  const diskMegabytes = processFigures(process.pid).diskReadMegabytes - diskBefore;
  return { seconds, megabytes: position / 1e6, diskMegabytes };
}
