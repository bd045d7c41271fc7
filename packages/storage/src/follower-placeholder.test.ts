import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { placeholderBatches } from "./placeholder-batch.js";
import { createLog, openManager } from "./testdata/harness.js";
import { appendKeyed, headersOf } from "./testdata/keyed-log.js";

describe("a follower that was cut back into offsets that its leader has cleaned", () => {
  it("takes the rest of the leader's empty batch, and nothing that overlaps otherwise", async () => {
    const simulation = new Simulation({ seed: 5 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const runtime = node.runtime();
      const { compute } = runtime;
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      for (const key of ["a", "b", "c"]) {
        await appendKeyed(log, { records: [{ key, value: "v" }] }, compute);
      }
      const placeholder = (firstOffset: number, lastOffset: number): Uint8Array => {
        const range = { firstOffset, lastOffset, leaderEpoch: 0, maxTimestamp: -1 };
        return placeholderBatches(range, compute)[0] as Uint8Array;
      };
      const offer = (bytes: Uint8Array) => log.appendAsFollower(bytes, { leaderEpoch: 0 });
      expect(offer(placeholder(0, 2))).toMatchObject({ ok: false, error: "OFFSET_OUT_OF_RANGE" });
      const damaged = placeholder(1, 20);
      damaged[40] = 7;
      expect(offer(damaged).ok).toBe(false);
      const both = new Uint8Array(122);
      both.set(placeholder(1, 20));
      both.set(placeholder(21, 22), 61);
      expect(offer(both)).toMatchObject({ ok: true, baseOffset: 3, lastOffset: 22 });
      await log.whenFlushed(22);
      const headers = await headersOf(log, compute);
      expect(headers.at(-2)).toMatchObject({ baseOffset: 3, lastOffset: 20, recordCount: 0 });
      await manager.close();
    });
  });
});
