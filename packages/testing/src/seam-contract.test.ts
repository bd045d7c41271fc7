import { silentLogger } from "@millrace/runtime";
import { fileSystemContract, networkContract } from "@millrace/runtime/contract";
import { MemoryFileSystem } from "@millrace/runtime/memory";
import { createNodeRuntime } from "@millrace/runtime/node";
import { describe, expect, it } from "vitest";
import { Faults } from "./faults.js";
import { FaultyFileSystem } from "./faulty-file-system.js";
import { FaultyNetwork } from "./faulty-network.js";

const vitest = { describe, it, expect };
const runtime = createNodeRuntime({ logger: silentLogger });

describe("without a fault, the test broker's files and network are like any other", () => {
  fileSystemContract(vitest, {
    create: async () => {
      const inner = new MemoryFileSystem({ clock: runtime.clock });
      await inner.createDirectory("/data");
      return { fileSystem: new FaultyFileSystem(inner, new Faults()), root: "/data" };
    },
  });
  networkContract(vitest, {
    create: () => {
      const { network: inner, clock } = runtime;
      const network = new FaultyNetwork({ inner, clock, faults: new Faults() });
      return { network, peer: inner, clock };
    },
  });
});

describe("a file system whose process is gone", () => {
  it("refuses everything, closed its files, and let go of its lock", async () => {
    const inner = new MemoryFileSystem({ clock: runtime.clock });
    await inner.createDirectory("/data");
    const fileSystem = new FaultyFileSystem(inner, new Faults());
    const file = await fileSystem.open("/data/file", "createNew");
    await fileSystem.lockDirectory("/data");
    const pending = file.sync().catch((error: unknown) => error);
    await fileSystem.cut();
    expect(await pending).toMatchObject({ code: "IO_ERROR" });
    expect(() => file.writeSync([Uint8Array.of(1)], 0)).toThrow(/killed/);
    await expect(fileSystem.readDirectory("/data")).rejects.toMatchObject({ code: "IO_ERROR" });
    await (await inner.lockDirectory("/data")).release();
  });
});
