import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { OutputGate } from "./output-gate.js";

function gateOver(simulation: Simulation) {
  const connection = {
    bufferedBytes: 0,
    isOpen: true,
    send(chunks: readonly Uint8Array[]) {
      for (const chunk of chunks) {
        connection.bufferedBytes += chunk.length;
      }
    },
  };
  const events: string[] = [];
  const gate = new OutputGate({
    clock: simulation.node("n").runtime().clock,
    connection,
    maxBytes: 100,
    timeoutMs: 1000,
    onRoom: () => events.push("room"),
    onStalled: () => events.push("stalled"),
  });
  return { connection, events, gate };
}

function simulated(
  body: (all: ReturnType<typeof gateOver>, simulation: Simulation) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 1 });
  return simulation.run(() => body(gateOver(simulation), simulation));
}

const bytes = (count: number): Uint8Array[] => [new Uint8Array(count)];

describe("the output gate", () => {
  it("runs work one after the other, and none while the output is full", () =>
    simulated(async ({ connection, gate }, simulation) => {
      const done: number[] = [];
      const work = (index: number) =>
        gate.inTurn(async () => {
          done.push(index);
          gate.send(bytes(101));
          await Promise.resolve();
        });
      const all = [work(1), work(2), work(3)];
      await simulation.sleep(200);
      expect(done).toEqual([1]);
      connection.bufferedBytes = 0;
      await simulation.sleep(200);
      expect(done).toEqual([1, 2]);
      connection.bufferedBytes = 0;
      gate.check();
      await Promise.all(all);
      expect(done).toEqual([1, 2, 3]);
    }));

  it("notices room without any drain event", () =>
    simulated(async ({ connection, events, gate }, simulation) => {
      gate.send(bytes(101));
      expect(gate.isFull).toBe(true);
      connection.bufferedBytes = 50;
      await simulation.sleep(100);
      expect(events).toEqual(["room"]);
    }));

  it("gives up a client that takes nothing, and not one that is slow", () =>
    simulated(async ({ connection, events, gate }, simulation) => {
      gate.send(bytes(5000));
      for (let round = 0; round < 40; round++) {
        await simulation.sleep(100);
        connection.bufferedBytes -= 1;
      }
      expect(events).toEqual([]);
      await simulation.sleep(1200);
      expect(events).toEqual(["stalled"]);
    }));

  it("gives the error of a turn to its caller and goes on", () =>
    simulated(async ({ gate }) => {
      const failed = gate.inTurn(() => Promise.reject(new Error("no")));
      const next = gate.inTurn(() => Promise.resolve("yes"));
      await expect(failed).rejects.toThrow("no");
      await expect(next).resolves.toBe("yes");
    }));

  it("lets nobody wait once the connection is gone", () =>
    simulated(async ({ gate }) => {
      gate.send(bytes(101));
      const waiting = gate.inTurn(() => Promise.resolve("done"));
      gate.close();
      await expect(waiting).resolves.toBe("done");
      gate.send(bytes(1));
    }));
});
