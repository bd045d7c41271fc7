import { describe, expect, it } from "vitest";
import { fileSystemContract } from "../contract/index.js";
import { MemoryFileSystem } from "./index.js";

const clock = { nowMs: () => 1_700_000_000_000 };

async function create(capacityBytes?: number): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem({
    clock,
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
  });
  await fileSystem.createDirectory("/data");
  await fileSystem.syncDirectory("/");
  return fileSystem;
}

fileSystemContract(
  { describe, it, expect },
  { create: async () => ({ fileSystem: await create(), root: "/data" }) },
);

describe("a memory file system that loses power", () => {
  it("keeps what was synced and forgets the rest, names included", async () => {
    const fileSystem = await create();
    const kept = await fileSystem.open("/data/kept", "createNew");
    await kept.write([Uint8Array.of(1, 2, 3)], 0);
    await kept.sync();
    await fileSystem.syncDirectory("/data");
    await kept.write([Uint8Array.of(4, 5)], 3);
    const nameless = await fileSystem.open("/data/nameless", "createNew");
    await nameless.write([Uint8Array.of(9)], 0);
    await nameless.sync();
    fileSystem.losePower();
    expect([...(await fileSystem.readFile("/data/kept"))]).toEqual([1, 2, 3]);
    expect(await fileSystem.readDirectory("/data")).toEqual([{ name: "kept", kind: "file" }]);
  });

  it("leaves no handle alive and no lock held", async () => {
    const fileSystem = await create();
    const file = await fileSystem.open("/data/file", "createNew");
    await fileSystem.lockDirectory("/data");
    fileSystem.losePower();
    await expect(file.write([Uint8Array.of(1)], 0)).rejects.toMatchObject({ code: "IO_ERROR" });
    await (await fileSystem.lockDirectory("/data")).release();
  });
});

describe("a memory file system that fills up", () => {
  it("writes what fits, then refuses, and takes more once something was removed", async () => {
    const fileSystem = await create(10);
    const file = await fileSystem.open("/data/file", "createNew");
    const other = await fileSystem.open("/data/other", "createNew");
    expect(await other.write([new Uint8Array(4)], 0)).toBe(4);
    expect(await file.write([new Uint8Array(5), new Uint8Array(5)], 0)).toBe(6);
    await expect(file.write([new Uint8Array(1)], 6)).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
    expect(await file.write([new Uint8Array(6)], 0)).toBe(6);
    await fileSystem.removeFile("/data/other");
    expect(await fileSystem.availableBytes("/data")).toBe(4);
    expect(await file.write([new Uint8Array(4)], 6)).toBe(4);
  });

  it("counts what a power cut left", async () => {
    const fileSystem = await create(10);
    const file = await fileSystem.open("/data/file", "createNew");
    await file.write([new Uint8Array(8)], 0);
    fileSystem.losePower();
    expect(await fileSystem.availableBytes("/data")).toBe(10);
  });
});
