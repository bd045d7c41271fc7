import { describe, expect, it } from "vitest";
import { drive } from "./driver.js";

describe("the driver", () => {
  it("runs the next step only after the longest chain of promises has ended", async () => {
    const unfinished: number[] = [];
    let pending = 0;
    const chain = async (length: number): Promise<void> => {
      for (let link = 0; link < length; link++) {
        await Promise.resolve();
      }
      pending--;
    };
    let step = 0;
    await drive(() => {
      unfinished.push(pending);
      step++;
      if (step > 50) {
        return false;
      }
      pending += 3;
      void Promise.all([chain(1), chain(step * 37), chain(5_000)]);
      return true;
    });
    expect(unfinished.every((count) => count === 0)).toBe(true);
  });

  it("lets the real event loop have its turns", async () => {
    let turns = 0;
    let isOver = false;
    const breathe = (): void => {
      turns++;
      if (!isOver) {
        setImmediate(breathe);
      }
    };
    breathe();
    let steps = 0;
    await drive(() => ++steps < 20_000);
    isOver = true;
    expect(turns).toBeGreaterThan(5);
  });

  it("rejects with what a step throws", async () => {
    await expect(
      drive(() => {
        throw new Error("broken");
      }),
    ).rejects.toThrow("broken");
  });
});
