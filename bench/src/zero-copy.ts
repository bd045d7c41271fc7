// node bench/dist/zero-copy.js [--megabytes 256] [--slices 5] [--json] [--directory D]
//
// From a file in the page cache to a socket, as WebSocket frames of 64 KiB and 1 MiB: `pread` into a buffer that is used
// again and a write of header and buffer (the broker's way), against `sendfile(2)`, both with and without the CRC
// that every read from disk owes its reader. The receiver is a process of its own that throws all away. Megabytes per
// second until the last byte arrived, CPU seconds per GB of the sender, in turns. Linux.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNodeRuntime } from "@millrace/runtime/node";
import { loadNativeCalls } from "./native-calls.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const POOL = 4;

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "256" },
    slices: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    directory: { type: "string" },
  },
});
const fileBytes = Number(values.megabytes) * MIB;
const { compute } = createNodeRuntime();

/** Counts bytes; answers with one byte for every `fileBytes` and its headers. */
const sinkProgram = `
const { createServer } = require("node:net");
const server = createServer();
server.on("connection", (socket) => {
  let total = 0, expected = -1;
  socket.on("data", (chunk) => {
    let at = 0;
    if (expected < 0) { expected = chunk.readDoubleBE(0); at = 8; }
    total += chunk.length - at;
    if (total >= expected) { total = 0; expected = -1; socket.write("x"); }
  });
  socket.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));`;

/** Where a variant writes its frames. */
interface Target {
  readonly file: number;
  readonly socket: Socket;
  /** The same receiver, by a blocking descriptor. */
  readonly descriptor: number;
}

type Variant = (target: Target, frameBytes: number) => Promise<void>;

function headerOf(bytes: number): Uint8Array {
  const header = Buffer.alloc(10);
  header[0] = 0x82;
  header[1] = 127;
  header.writeUInt32BE(bytes, 6);
  return header;
}

function pread(file: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(file, buffer, 0, buffer.length, position, (error, count) =>
      error === null ? resolve(count) : reject(error),
    );
  });
}

/** The next read runs while the last frame is on its way, as the broker's does. */
function readAndWrite(verify: boolean): Variant {
  return async ({ file, socket }, frameBytes) => {
    const free = Array.from({ length: POOL }, () => new Uint8Array(frameBytes));
    let whenFree: () => void = () => {};
    for (let position = 0; position < fileBytes; position += frameBytes) {
      while (free.length === 0) {
        await new Promise<void>((resolve) => {
          whenFree = resolve;
        });
      }
      const buffer = free.pop() as Uint8Array<ArrayBuffer>;
      await pread(file, buffer, position);
      if (verify) {
        compute.crc32c(buffer);
      }
      socket.cork();
      socket.write(headerOf(frameBytes));
      socket.write(buffer, () => {
        free.push(buffer);
        whenFree();
      });
      socket.uncork();
    }
  };
}

const scratch = mkdtempSync(join(values.directory ?? tmpdir(), "millrace-zero-copy-"));
const native = loadNativeCalls(scratch);

function sendFile(verify: boolean): Variant {
  return async ({ file, descriptor }, frameBytes) => {
    const buffer = new Uint8Array(frameBytes);
    for (let position = 0; position < fileBytes; position += frameBytes) {
      if (verify) {
        await pread(file, buffer, position);
        compute.crc32c(buffer);
      }
      native.send(descriptor, headerOf(frameBytes), true);
      for (let sent = 0; sent < frameBytes; ) {
        sent += await native.sendfile(descriptor, file, position + sent, frameBytes - sent);
      }
    }
  };
}

const variants: Readonly<Record<string, Variant>> = {
  "pread + writev": readAndWrite(false),
  "pread + CRC + writev": readAndWrite(true),
  sendfile: sendFile(false),
  "pread + CRC, sendfile": sendFile(true),
};

interface Row {
  readonly frame: string;
  readonly variant: string;
  readonly megabytesPerSecond: number;
  readonly spread: readonly [number, number];
  readonly cpuPerGigabyte: number;
}

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => stream.once("data", (chunk) => resolve(String(chunk))));
}

/** One pass over the file; resolves when the receiver has it all. */
async function pass(
  variant: Variant,
  file: number,
  { port, frameBytes, isNative }: { port: number; frameBytes: number; isNative: boolean },
): Promise<{ rate: number; cpu: number }> {
  const expected = Buffer.alloc(8);
  expected.writeDoubleBE(fileBytes + (fileBytes / frameBytes) * 10);
  const socket = connect(port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  const descriptor = isNative ? native.connect(port) : -1;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  if (isNative) {
    native.send(descriptor, expected, false);
    await variant({ file, socket, descriptor }, frameBytes);
    // The answer is one byte, read by blocking: the last frame is on its way already.
    readSync(descriptor, new Uint8Array(1));
  } else {
    socket.write(expected);
    const answered = new Promise((resolve) => socket.once("data", resolve));
    await variant({ file, socket, descriptor }, frameBytes);
    await answered;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  socket.destroy();
  if (isNative) {
    native.close(descriptor);
  }
  return { rate: fileBytes / 1e6 / seconds, cpu: (user + system) / 1e6 / (fileBytes / 1e9) };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((left, right) => left - right)[numbers.length >> 1] ?? 0;

async function rowsOf(file: number, port: number, frameBytes: number): Promise<Row[]> {
  const passes = new Map(
    Object.keys(variants).map((name) => [name, [] as { rate: number; cpu: number }[]]),
  );
  for (let slice = -1; slice < Number(values.slices); slice++) {
    for (const [name, variant] of Object.entries(variants)) {
      const isNative = name.includes("sendfile");
      const result = await pass(variant, file, { port, frameBytes, isNative });
      if (slice >= 0) {
        passes.get(name)?.push(result);
      }
    }
  }
  return [...passes].map(([variant, results]) => {
    const rates = results.map(({ rate }) => rate);
    return {
      frame: `${frameBytes / KIB} KiB`,
      variant,
      megabytesPerSecond: Math.round(median(rates)),
      spread: [Math.round(Math.min(...rates)), Math.round(Math.max(...rates))] as const,
      cpuPerGigabyte: Number(median(results.map(({ cpu }) => cpu)).toFixed(3)),
    };
  });
}

function prepareFile(): number {
  const path = join(scratch, "data");
  const file = openSync(path, "w");
  const block = new Uint8Array(MIB).map((_, index) => (index * 31) & 0xff);
  for (let position = 0; position < fileBytes; position += MIB) {
    writeSync(file, block, 0, MIB, position);
  }
  closeSync(file);
  return openSync(path, "r");
}

const sink = spawn(process.execPath, ["-e", sinkProgram], { stdio: ["ignore", "pipe", "inherit"] });
try {
  const port = Number(await firstLine(sink.stdout));
  const file = prepareFile();
  const rows = [...(await rowsOf(file, port, 64 * KIB)), ...(await rowsOf(file, port, MIB))];
  if (values.json) {
    console.log(JSON.stringify(rows));
  } else {
    console.table(rows);
  }
} finally {
  sink.kill("SIGTERM");
  rmSync(scratch, { recursive: true, force: true });
}
