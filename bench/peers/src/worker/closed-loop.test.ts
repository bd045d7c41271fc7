import { describe, expect, it } from "vitest";
import { closedLoop, Samples } from "./closed-loop.js";

describe("closedLoop", () => {
  it("keeps exactly `width` operations on their way and stops at the count", async () => {
    let active = 0;
    let most = 0;
    const indexes: number[] = [];
    const done = await closedLoop(
      async (_, index) => {
        indexes.push(index);
        most = Math.max(most, ++active);
        await new Promise((resolve) => setImmediate(resolve));
        active--;
      },
      { width: 5, seconds: 60, operationsMax: 100 },
    );
    expect(done).toBe(100);
    expect(most).toBe(5);
    expect(indexes).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it("stops every lane at the first failure, and reports it", async () => {
    let active = 0;
    const loop = closedLoop(
      async (_, index) => {
        active++;
        await new Promise((resolve) => setImmediate(resolve));
        active--;
        if (index === 7) {
          throw new Error("seven");
        }
      },
      { width: 3, seconds: 60 },
    );
    await expect(loop).rejects.toThrow("seven");
    expect(active).toBe(0);
  });

  it("takes one sample for each operation", async () => {
    const samples = new Samples();
    await closedLoop(() => Promise.resolve(), {
      width: 2,
      seconds: 60,
      operationsMax: 3_000,
      samples,
    });
    expect(samples.values.length).toBe(3_000);
    expect(samples.values.every((value) => value >= 0)).toBe(true);
  });

  it("does at least as many operations as it must, however long they take", async () => {
    const options = { width: 2, seconds: 0, operationsMin: 5 };
    expect(await closedLoop(() => Promise.resolve(), options)).toBe(5);
  });
});
