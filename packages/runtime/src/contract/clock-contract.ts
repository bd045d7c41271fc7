// What every Clock promises.

import type { Clock } from "../clock.js";
import {
  type ContractHarness,
  caseRunner,
  createAbort,
  rejectionOf,
  type TestFramework,
} from "./harness.js";

export function clockContract(framework: TestFramework, harness: ContractHarness<Clock>): void {
  const { describe, expect } = framework;
  const test = caseRunner(framework, harness);
  const isNear = (actual: number, earliest: number): void => {
    // Timers may be late, never early; a platform may round a timer down to its own millisecond.
    expect(actual).toBeGreaterThanOrEqual(earliest - 1.5);
  };

  describe("a clock", () => {
    test("tells the wall time in whole milliseconds", (clock) => {
      expect(Number.isSafeInteger(clock.nowMs())).toBe(true);
      expect(clock.nowMs()).toBeGreaterThan(0);
    });

    test("has a monotonic time that never goes back and passes while sleeping", async (clock) => {
      let last = clock.monotonicMs();
      for (let round = 0; round < 100; round++) {
        const now = clock.monotonicMs();
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      }
      await clock.sleep(20);
      isNear(clock.monotonicMs(), last + 20);
    });

    test("calls a timer once, later, never synchronously", async (clock) => {
      let calls = 0;
      clock.setTimer(0, () => {
        calls += 1;
      });
      expect(calls).toBe(0);
      await clock.sleep(30);
      expect(calls).toBe(1);
    });

    test("fires timers in the order of their delays", async (clock) => {
      const fired: string[] = [];
      clock.setTimer(60, () => fired.push("third"));
      clock.setTimer(5, () => fired.push("first"));
      clock.setTimer(30, () => fired.push("second"));
      await clock.sleep(120);
      expect(fired).toEqual(["first", "second", "third"]);
    });

    test("never calls a cancelled timer, and cancelling again does nothing", async (clock) => {
      let calls = 0;
      const timer = clock.setTimer(10, () => {
        calls += 1;
      });
      timer.cancel();
      timer.cancel();
      await clock.sleep(30);
      timer.cancel();
      expect(calls).toBe(0);
    });

    test("allows cancelling a timer that has fired, from its own callback too", async (clock) => {
      let calls = 0;
      const timer = clock.setTimer(1, () => {
        calls += 1;
        timer.cancel();
      });
      await clock.sleep(20);
      timer.cancel();
      expect(calls).toBe(1);
    });

    test("does not fire a timer early that lies months ahead", async (clock) => {
      let calls = 0;
      const timer = clock.setTimer(2 ** 33, () => {
        calls += 1;
      });
      await clock.sleep(20);
      timer.cancel();
      expect(calls).toBe(0);
    });

    test("rejects a sleep with the signal's reason as soon as it aborts", async (clock) => {
      const abort = createAbort();
      const reason = new Error("enough");
      const startMs = clock.monotonicMs();
      const rejection = rejectionOf(clock.sleep(3_600_000, abort.signal));
      clock.setTimer(5, () => abort.abort(reason));
      expect(await rejection).toBe(reason);
      expect(clock.monotonicMs() - startMs).toBeLessThan(3_600_000);
      expect(abort.listenerCount()).toBe(0);
    });

    test("rejects a sleep at once when the signal has aborted before", async (clock) => {
      const abort = createAbort();
      abort.abort("gone");
      expect(await rejectionOf(clock.sleep(3_600_000, abort.signal))).toBe("gone");
    });

    test("leaves no listener on the signal after a sleep that ran its course", async (clock) => {
      const abort = createAbort();
      await clock.sleep(5, abort.signal);
      expect(abort.listenerCount()).toBe(0);
    });

    test("runs deferred callbacks later, once, in order", async (clock) => {
      const order: number[] = [];
      clock.defer(() => order.push(1));
      clock.defer(() => order.push(2));
      expect(order).toEqual([]);
      await clock.sleep(20);
      expect(order).toEqual([1, 2]);
    });

    test("runs a deferred callback after the microtasks that are pending now", async (clock) => {
      const order: string[] = [];
      clock.defer(() => order.push("deferred"));
      void Promise.resolve().then(() => order.push("microtask"));
      await clock.sleep(20);
      expect(order).toEqual(["microtask", "deferred"]);
    });
  });
}
