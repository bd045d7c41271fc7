import { describe, expect, it } from "vitest";
import { type PartialMessage, PartialMessages } from "./partial-messages.js";

function setUp() {
  const cuts: string[] = [];
  const partialMessages = new PartialMessages({
    maxPartialBytes: 1_000,
    partialMessageTimeoutMs: 10_000,
  });
  const received = new Map<PartialMessage, number>();
  const track = (name: string): PartialMessage => partialMessages.track(() => cuts.push(name));
  const update = (partial: PartialMessage, bytes: number, nowMs = 0, messageCount = 0): void => {
    received.set(partial, Math.max(received.get(partial) ?? 0, bytes));
    const dataBytes = (): number => received.get(partial) ?? 0;
    partialMessages.update(partial, { bytes, messageCount, dataBytes, nowMs });
  };
  return { cuts, partialMessages, track, update };
}

describe("PartialMessages", () => {
  it("cuts the oldest unfinished message when all together are too much", () => {
    const { cuts, partialMessages, track, update } = setUp();
    const [first, second, third] = [track("first"), track("second"), track("third")];
    update(first, 400);
    update(second, 400);
    update(first, 500);
    update(third, 101);
    expect(cuts).toEqual(["first"]);
    expect(partialMessages.totalBytes).toBe(501);
  });

  it("takes a message that began later on the same connection for younger", () => {
    const { cuts, track, update } = setUp();
    const [first, second] = [track("first"), track("second")];
    update(first, 400, 0, 0);
    update(second, 400);
    update(first, 500, 0, 1);
    update(first, 700, 0, 1);
    expect(cuts).toEqual(["second"]);
  });

  it("forgets what was finished", () => {
    const { cuts, partialMessages, track, update } = setUp();
    for (let round = 0; round < 100; round++) {
      const partial = track("one");
      update(partial, 900);
      update(partial, 0);
    }
    expect(partialMessages.totalBytes).toBe(0);
    expect(cuts).toEqual([]);
  });

  it("cuts a message that gains less than one byte per second over the timeout", () => {
    const { cuts, partialMessages, track, update } = setUp();
    const [slow, steady] = [track("slow"), track("steady")];
    update(slow, 10, 0);
    update(steady, 10, 0);
    partialMessages.sweep(9_999);
    expect(cuts).toEqual([]);
    update(slow, 19, 9_999);
    update(steady, 20, 9_999);
    partialMessages.sweep(10_000);
    expect(cuts).toEqual(["slow"]);
    partialMessages.sweep(19_999);
    expect(cuts).toEqual(["slow"]);
    partialMessages.sweep(20_000);
    expect(cuts).toEqual(["slow", "steady"]);
  });

  it("excuses a connection from which nothing was read", () => {
    const { cuts, partialMessages, track, update } = setUp();
    const paused = track("paused");
    update(paused, 10, 0);
    partialMessages.pause(paused);
    partialMessages.sweep(60_000);
    partialMessages.resume(paused, 60_000);
    partialMessages.sweep(60_001);
    expect(cuts).toEqual([]);
    partialMessages.sweep(70_000);
    expect(cuts).toEqual(["paused"]);
  });
});
