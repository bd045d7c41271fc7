import type { Clock } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { delayed } from "./delayed-connection.js";

/** A clock that moves when it is told to. */
function manualClock() {
  let nowMs = 0;
  let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  const clock: Pick<Clock, "monotonicMs" | "setTimer"> = {
    monotonicMs: () => nowMs,
    setTimer: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
  };
  const advance = (ms: number): void => {
    const endMs = nowMs + ms;
    for (;;) {
      const [due] = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (due === undefined) {
        break;
      }
      timers = timers.filter((other) => other !== due);
      nowMs = Math.max(nowMs, due.atMs);
      due.callback();
    }
    nowMs = endMs;
  };
  return { clock: clock as Clock, advance, pending: () => timers.length };
}

function scene() {
  const world = manualClock();
  const arrived: (number | undefined)[] = [];
  const delay = { ms: 0 };
  let isCut = false;
  let isClosed = false;
  const events = delayed(
    {
      onMessage: (message) => arrived.push(message[0]),
      onClose: () => {
        isClosed = true;
      },
    },
    {
      clock: world.clock,
      delayMs: () => delay.ms,
      cut: () => {
        isCut = true;
      },
    },
  );
  const send = (value: number): void => events.onMessage(Uint8Array.of(value));
  const close = (): void => events.onClose({ code: 1006, reason: "" });
  return { ...world, arrived, delay, send, close, isCut: () => isCut, isClosed: () => isClosed };
}

describe("a delayed connection", () => {
  it("passes messages on at once while there is no delay", () => {
    const { send, arrived, pending } = scene();
    send(1);
    expect(arrived).toEqual([1]);
    expect(pending()).toBe(0);
  });

  it("delivers each message when its time has come, not before", () => {
    const { send, arrived, advance, delay } = scene();
    delay.ms = 100;
    send(1);
    advance(60);
    send(2);
    advance(39);
    expect(arrived).toEqual([]);
    advance(1);
    expect(arrived).toEqual([1]);
    advance(60);
    expect(arrived).toEqual([1, 2]);
  });

  it("never lets a message overtake an earlier one when the delay shrinks", () => {
    const { send, arrived, advance, delay } = scene();
    delay.ms = 100;
    send(1);
    delay.ms = 0;
    send(2);
    expect(arrived).toEqual([]);
    advance(100);
    expect(arrived).toEqual([1, 2]);
    send(3);
    expect(arrived).toEqual([1, 2, 3]);
  });

  it("forgets what has not arrived when the connection closes", () => {
    const { send, arrived, advance, delay, close, isClosed, pending } = scene();
    delay.ms = 100;
    send(1);
    close();
    advance(200);
    expect(isClosed()).toBe(true);
    expect(arrived).toEqual([]);
    expect(pending()).toBe(0);
  });

  it("cuts a connection that piles up messages without end", () => {
    const { send, delay, isCut } = scene();
    delay.ms = 100;
    for (let index = 0; index < 10_000; index++) {
      send(index);
    }
    expect(isCut()).toBe(false);
    send(0);
    expect(isCut()).toBe(true);
  });
});
