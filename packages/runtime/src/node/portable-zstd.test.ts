// zstd on a Node whose zlib has none (before 22.15), whichever Node runs this; and that both ways understand each
// other where Node has it.

import { describe, expect, it } from "vitest";
import { computeContract } from "../contract/index.js";
import { createTextEncoder } from "../platform.js";
import { nodeCompute, portableZstdCompute } from "./node-compute.js";

describe("Node without zstd in zlib", () => {
  computeContract({ describe, it, expect }, { create: () => portableZstdCompute });

  it("writes what the present Node reads, and reads what it writes", async () => {
    const bytes = createTextEncoder().encode("The mill grinds slowly. ".repeat(9_000));
    for (const [from, to] of [
      [nodeCompute, portableZstdCompute],
      [portableZstdCompute, nodeCompute],
    ] as const) {
      const packed = await from.compress("zstd", bytes, 5);
      expect(await to.decompress("zstd", packed, bytes.length)).toEqual(bytes);
    }
  });

  it("compresses better at a higher level", async () => {
    const orders = Array.from(
      { length: 3_000 },
      (_, id) =>
        `{"order":${id},"customer":"customer-${(id * 7_919) % 211}","paid":${id % 3 === 0}}`,
    );
    const bytes = createTextEncoder().encode(orders.join("\n"));
    for (const codec of ["gzip", "zstd"] as const) {
      const fast = await portableZstdCompute.compress(codec, bytes, 1);
      const small = await portableZstdCompute.compress(codec, bytes, 9);
      expect(small.length).toBeLessThan(fast.length);
    }
  });
});
