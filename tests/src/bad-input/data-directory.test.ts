import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { mountProblem, mountTmpfs } from "./mount.js";
import { Scene } from "./scene.js";
import { Witness } from "./witness.js";

const scene = new Scene();
const CANNOT_LISTEN = 69;
const CANNOT_USE_DIRECTORY = 73;
const USAGE = 64;
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

/** Every file below a directory with its content; sockets are left out. */
function snapshot(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, readFileSync(path, "latin1")]),
  );
}

/** A directory that a broker has used and left, and the records in it. */
async function usedDirectory(name: string): Promise<string> {
  const directory = join(scene.directory, name);
  const first = await scene.broker({ dataDirectory: directory });
  const client = await Witness.start(first.url);
  await client.close();
  await first.kill("SIGTERM");
  return directory;
}

function changeProperty(directory: string, key: string, value: string): void {
  const path = join(directory, "meta.properties");
  const text = readFileSync(path, "utf8");
  const changed = text.replace(new RegExp(`^${key}=.*$`, "m"), `${key}=${value}`);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed.replace(/^millrace\.crc32c=.*\n/m, ""));
}

describe("a data directory that is in use", () => {
  it("is refused to a second broker with exit code 73, and the first goes on", async () => {
    await witness.during(async () => {
      for (let attempt = 0; attempt < 2; attempt++) {
        const { code, output } = await scene.failedStart();
        expect(code).toBe(CANNOT_USE_DIRECTORY);
        expect(output).toContain(join(scene.directory, "data"));
        expect(output).toContain("is in use by another broker");
      }
    });
  });

  it("is free again after kill -9, however often somebody knocked", async () => {
    await witness.close();
    await broker.kill("SIGKILL");
    broker = await scene.broker();
    witness = scene.resumed(broker, witness);
    await witness.send();
    await witness.verify();
  });
});

describe("a port that is in use", () => {
  it("ends a start with exit code 69 before any data is touched, and its owner goes on", async () => {
    const directory = join(scene.directory, "untouched");
    await witness.during(async () => {
      const { code, output } = await scene.failedStart({
        dataDirectory: directory,
        port: broker.port,
      });
      expect(code).toBe(CANNOT_LISTEN);
      expect(output).toContain(`127.0.0.1:${broker.port}`);
      expect(output).toContain("EADDRINUSE");
    });
    expect(readdirSync(scene.directory)).not.toContain("untouched");
  });

  it.each([
    ["an address that is not this machine's", "192.0.2.1", CANNOT_LISTEN, "192.0.2.1"],
    ["an address beyond loopback, not meant so", "0.0.0.0", USAGE, "--allow-insecure-listen"],
  ])("is not the only way not to listen: %s", async (_, host, expected, words) => {
    const options = host === "0.0.0.0" ? [] : ["--allow-insecure-listen"];
    const { code, output } = await scene.failedStart({
      dataDirectory: join(scene.directory, "untouched"),
      arguments: ["--host", host, ...options],
    });
    expect(code).toBe(expected);
    expect(output).toContain(words);
  });
});

describe("a data directory that cannot be written", () => {
  it("is refused with exit code 73 when a file stands in its path, which stays as it is", async () => {
    const file = join(scene.directory, "file");
    writeFileSync(file, "precious");
    for (const path of [file, join(file, "below"), join(file, "far", "below")]) {
      const { code, output } = await scene.failedStart({ dataDirectory: path });
      expect(code).toBe(CANNOT_USE_DIRECTORY);
      expect(output).toContain(path);
      expect(output).toContain("cannot be used");
    }
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  it.skipIf(mountProblem !== undefined)(
    `is refused with exit code 73 on a read-only file system${mountProblem ?? ""}`,
    async () => {
      const path = scene.folder("readonly");
      scene.defer(mountTmpfs(path, "ro,size=1m"));
      for (const directory of [path, join(path, "below")]) {
        const { code, output } = await scene.failedStart({ dataDirectory: directory });
        expect(code).toBe(CANNOT_USE_DIRECTORY);
        expect(output).toContain("cannot be used");
        expect(output).toMatch(/read-only|EROFS/);
      }
    },
  );

  it("is refused with exit code 73 by the kernel's own file systems", async () => {
    const { code, output } = await scene.failedStart({ dataDirectory: "/proc/millrace" });
    expect(code).toBe(CANNOT_USE_DIRECTORY);
    expect(output).toContain("/proc/millrace");
  });
});

describe("a data directory of somebody else", () => {
  it("is refused, and nothing in it changes: of a newer format, another cluster, another node, or damaged", async () => {
    const directory = await usedDirectory("foreign");
    const path = join(directory, "meta.properties");
    const original = readFileSync(path, "utf8");
    const refusals: readonly (readonly [() => void, string[], string])[] = [
      [
        () => changeProperty(directory, "millrace.format.version", "2"),
        [],
        "was written by a newer Millrace (format 2, this one knows 1)",
      ],
      [
        () => writeFileSync(path, original.replace("node.id=0", "node.id=1")),
        [],
        "If you changed it yourself, remove the line millrace.crc32c",
      ],
      [() => {}, ["--cluster-id", "another"], "belongs to cluster"],
      [() => {}, ["--node-id", "7"], "belongs to node 0, this is node 7"],
      [() => writeFileSync(path, "what is this\n"), [], "is damaged or not Millrace's"],
      [() => writeFileSync(path, ""), [], "is damaged or not Millrace's"],
      [() => rmSync(path), [], "it is not known whose they are"],
    ];
    await witness.during(async () => {
      for (const [spoil, options, words] of refusals) {
        writeFileSync(path, original);
        spoil();
        const before = snapshot(directory);
        const { code, output } = await scene.failedStart({
          dataDirectory: directory,
          arguments: options,
        });
        expect([words, code]).toEqual([words, CANNOT_USE_DIRECTORY]);
        expect(output).toContain(words);
        expect(output).not.toContain("retention.ms");
        expect(snapshot(directory)).toEqual(before);
      }
    });
    writeFileSync(path, original);
    await scene.broker({ dataDirectory: directory });
  });

  it("may hold things that are not Millrace's: they are left alone", async () => {
    const directory = scene.folder("shared");
    mkdirSync(join(directory, "lost+found"));
    writeFileSync(join(directory, "notes.txt"), "mine");
    const other = await scene.broker({ dataDirectory: directory });
    await other.kill("SIGTERM");
    expect(readFileSync(join(directory, "notes.txt"), "utf8")).toBe("mine");
    expect(readdirSync(directory)).toContain("lost+found");
  });
});
