// node bench/dist/disk-options.js [--megabytes 128] [--slices 5] [--json] [--directory D]
//
// One measurement each for what storage engines do and ours does not: appends into preallocated files (grown by
// `ftruncate`, by `fallocate`, written before), index look-ups in mapped files, and direct I/O for appends and reads.
// Each beside the engine's own way, in turns, in the same directory. Linux.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadNativeCalls } from "./native-calls.js";

const MIB = 1024 * 1024;
const INDEX_BYTES = 64 * 1024;
const INDEX_ENTRY_BYTES = 8;
const LOOKUPS = 200_000;
const INDEXES = 50;

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "128" },
    slices: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    directory: { type: "string" },
  },
});
const sizeBytes = Number(values.megabytes) * MIB;
const scratch = fs.mkdtempSync(join(values.directory ?? tmpdir(), "millrace-disk-options-"));
const native = loadNativeCalls(scratch);

interface Row {
  readonly question: string;
  readonly way: string;
  readonly median: number;
  readonly spread: readonly [number, number];
  readonly unit: string;
  readonly cpuPerGigabyte?: number;
}

interface Result {
  readonly value: number;
  readonly cpuPerGigabyte?: number;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((left, right) => left - right)[numbers.length >> 1] ?? 0;

/** Every way once per slice, so that all of them see the same disk. */
function inTurns(
  question: string,
  unit: string,
  ways: Readonly<Record<string, () => Result>>,
): Row[] {
  const results = new Map(Object.keys(ways).map((way) => [way, [] as Result[]]));
  const order = Object.entries(ways);
  for (let slice = 0; slice < Number(values.slices); slice++) {
    // What a way leaves behind (free pages, blocks) is the next one's gain: each follows each (there is a prime number
    // of them).
    const step = 1 + (slice % (order.length - 1));
    for (const index of order.keys()) {
      const [way, run] = order[(index * step) % order.length] ?? [];
      if (way !== undefined && run !== undefined) {
        results.get(way)?.push(run());
      }
    }
  }
  const rounded = (value: number): number => Number(value.toPrecision(3));
  return [...results].map(([way, all]) => {
    const figures = all.map(({ value }) => value);
    const cpu = all.flatMap(({ cpuPerGigabyte }) => cpuPerGigabyte ?? []);
    const row: Row = {
      question,
      way,
      median: rounded(median(figures)),
      spread: [rounded(Math.min(...figures)), rounded(Math.max(...figures))],
      unit,
    };
    return cpu.length === 0 ? row : { ...row, cpuPerGigabyte: rounded(median(cpu)) };
  });
}

function timed(bytes: number, work: () => void): Result {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  work();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { value: bytes / 1e6 / seconds, cpuPerGigabyte: (user + system) / 1e6 / (bytes / 1e9) };
}

type Prepare = (file: number) => void;

/** 1 MiB appends, each with `fdatasync`, into a file that was prepared before the clock starts. */
function append(block: Uint8Array, prepare: Prepare, flags = 0): Result {
  const path = join(scratch, "append");
  const file = fs.openSync(path, fs.constants.O_CREAT | fs.constants.O_RDWR | flags, 0o600);
  prepare(file);
  fs.fsyncSync(file);
  const result = timed(sizeBytes, () => {
    for (let position = 0; position < sizeBytes; position += block.length) {
      fs.writeSync(file, block, 0, block.length, position);
      fs.fdatasyncSync(file);
    }
  });
  fs.closeSync(file);
  fs.rmSync(path);
  return result;
}

function appends(): Row[] {
  const block = new Uint8Array(MIB).fill(0x5a);
  const aligned = native.alignedBuffer(MIB).fill(0x5a);
  const direct = fs.constants.O_DIRECT;
  return inTurns("append 1 MiB and fdatasync", "MB/s", {
    "as it is": () => append(block, () => undefined),
    "ftruncate before": () => append(block, (file) => fs.ftruncateSync(file, sizeBytes)),
    "fallocate before": () => append(block, (file) => native.fallocate(file, sizeBytes, false)),
    "fallocate, size kept": () => append(block, (file) => native.fallocate(file, sizeBytes, true)),
    "zeros written before": () =>
      append(block, (file) => {
        for (let position = 0; position < sizeBytes; position += MIB) {
          fs.writeSync(file, block, 0, MIB, position);
        }
      }),
    "direct I/O": () => append(aligned, () => undefined, direct),
    "direct I/O, fallocate before": () =>
      append(aligned, (file) => native.fallocate(file, sizeBytes, false), direct),
  });
}

function read(path: string, block: Uint8Array, flags: number): Result {
  const file = fs.openSync(path, fs.constants.O_RDONLY | flags);
  const result = timed(sizeBytes, () => {
    for (let position = 0; position < sizeBytes; position += block.length) {
      fs.readSync(file, block, 0, block.length, position);
    }
  });
  fs.closeSync(file);
  return result;
}

function reads(): Row[] {
  const path = join(scratch, "read");
  const block = native.alignedBuffer(MIB).fill(0x5a);
  const file = fs.openSync(path, "w");
  for (let position = 0; position < sizeBytes; position += MIB) {
    fs.writeSync(file, block, 0, MIB, position);
  }
  fs.fsyncSync(file);
  fs.closeSync(file);
  const rows = inTurns("read 1 MiB at a time", "MB/s", {
    "page cache, cold": () => {
      native.dropPageCache(path);
      return read(path, block, 0);
    },
    "page cache, warm": () => read(path, block, 0),
    "direct I/O": () => read(path, block, fs.constants.O_DIRECT),
  });
  fs.rmSync(path);
  return rows;
}

/** The entry at or before `offset`: Kafka's layout, relative offset and position. */
function lookup(index: DataView, offset: number): number {
  let low = 0;
  let high = index.byteLength / INDEX_ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (index.getUint32(middle * INDEX_ENTRY_BYTES) <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low === 0 ? 0 : index.getUint32((low - 1) * INDEX_ENTRY_BYTES + 4);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function writeIndexes(): string[] {
  const entries = new DataView(new ArrayBuffer(INDEX_BYTES));
  for (let entry = 0; entry * INDEX_ENTRY_BYTES < INDEX_BYTES; entry++) {
    entries.setUint32(entry * INDEX_ENTRY_BYTES, entry * 100);
    entries.setUint32(entry * INDEX_ENTRY_BYTES + 4, entry * 4096);
  }
  return Array.from({ length: INDEXES }, (_, number) => {
    const path = join(scratch, `index-${number}`);
    fs.writeFileSync(path, entries);
    return path;
  });
}

/** Microseconds for each index: opened, one look-up, let go. */
function firstLookup(paths: readonly string[], open: (path: string) => void): Result {
  const startedAt = performance.now();
  for (const path of paths) {
    open(path);
  }
  return { value: ((performance.now() - startedAt) * 1000) / paths.length };
}

/** Nanoseconds for a look-up in an index that is there. */
function nextLookups(index: DataView): Result {
  const startedAt = performance.now();
  let sum = 0;
  for (let count = 0; count < LOOKUPS; count++) {
    sum += lookup(index, (count * 7919) % ((INDEX_BYTES / INDEX_ENTRY_BYTES) * 100));
  }
  const nanoseconds = ((performance.now() - startedAt) * 1e6) / LOOKUPS;
  return { value: sum > 0 ? nanoseconds : 0 };
}

function mapped<T>(path: string, use: (index: DataView) => T): T {
  const file = fs.openSync(path, "r");
  const { bytes, unmap } = native.map(file, INDEX_BYTES);
  const result = use(viewOf(bytes));
  unmap();
  fs.closeSync(file);
  return result;
}

function indexes(): Row[] {
  const paths = writeIndexes();
  const [path = ""] = paths;
  return [
    ...inTurns("first look-up in an index of 64 KiB", "us", {
      "read whole": () =>
        firstLookup(paths, (each) => lookup(viewOf(fs.readFileSync(each)), 100_000)),
      mapped: () => firstLookup(paths, (each) => mapped(each, (index) => lookup(index, 100_000))),
    }),
    ...inTurns("further look-ups", "ns", {
      "read whole": () => nextLookups(viewOf(fs.readFileSync(path))),
      mapped: () => mapped(path, nextLookups),
    }),
  ];
}

try {
  const rows = [...appends(), ...reads(), ...indexes()];
  if (values.json) {
    console.log(JSON.stringify(rows));
  } else {
    console.table(rows);
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
