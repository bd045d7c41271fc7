import { describe, expect, it } from "vitest";
import { MAX_PLATFORM_DELAY_MS, startLongTimer } from "./long-timer.js";

function fakePlatform() {
  const started: { delayMs: number; fire: () => void; cancelled: boolean }[] = [];
  return {
    started,
    start: (delayMs: number, fire: () => void) => {
      const timer = { delayMs, fire, cancelled: false };
      started.push(timer);
      return () => {
        timer.cancelled = true;
      };
    },
  };
}

describe("a long timer", () => {
  it("walks a delay beyond 2^31 ms in steps that the platform can take", () => {
    const platform = fakePlatform();
    let calls = 0;
    startLongTimer(platform.start, 2 * MAX_PLATFORM_DELAY_MS + 5, () => {
      calls += 1;
    });
    platform.started[0]?.fire();
    platform.started[1]?.fire();
    expect(calls).toBe(0);
    platform.started[2]?.fire();
    expect(calls).toBe(1);
    expect(platform.started.map((timer) => timer.delayMs)).toEqual([
      MAX_PLATFORM_DELAY_MS,
      MAX_PLATFORM_DELAY_MS,
      5,
    ]);
  });

  it("cancels the step that is under way", () => {
    const platform = fakePlatform();
    const timer = startLongTimer(platform.start, MAX_PLATFORM_DELAY_MS + 1, () => {});
    platform.started[0]?.fire();
    timer.cancel();
    expect(platform.started.map((one) => one.cancelled)).toEqual([false, true]);
  });
});
