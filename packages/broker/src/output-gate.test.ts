import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { OutputGate } from "./output-gate.js";
import { ResponseBudget } from "./response-budget.js";

function gateOver(simulation: Simulation, budget = new ResponseBudget(1_000_000), maxBytes = 100) {
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
    budget,
    maxBytes,
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
      const work = async (index: number) =>
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

  it("gives up a client that leaves much untaken although there is room for more", () =>
    simulated(async (_, simulation) => {
      const budget = new ResponseBudget(10_000_000);
      const { connection, events, gate } = gateOver(simulation, budget, 1_000_000);
      gate.send(bytes(200_000));
      await simulation.sleep(500);
      connection.bufferedBytes = 150_000;
      gate.check();
      await simulation.sleep(900);
      expect(events).not.toContain("stalled");
      await simulation.sleep(200);
      expect(events).toContain("stalled");
    }));

  it("waits for ever for a client that leaves little untaken", () =>
    simulated(async (_, simulation) => {
      const budget = new ResponseBudget(10_000_000);
      const { events, gate } = gateOver(simulation, budget, 1_000_000);
      gate.send(bytes(100_000));
      await simulation.sleep(5_000);
      expect(events).toEqual([]);
    }));

  it("runs work at once when nothing is in its way, and not while other work has its turn", () =>
    simulated(async ({ gate }) => {
      expect(gate.inTurn(() => "now")).toBe("now");
      const done: string[] = [];
      const slow = gate.inTurn(async () => {
        await Promise.resolve();
        done.push("slow");
      });
      const next = gate.inTurn(() => done.push("next"));
      expect(next).toBeInstanceOf(Promise);
      await slow;
      await next;
      expect(done).toEqual(["slow", "next"]);
      expect(gate.inTurn(() => "now again")).toBe("now again");
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

  it("counts what its client has not taken for the whole broker, until it is taken or gone", () =>
    simulated(async (_, simulation) => {
      const budget = new ResponseBudget(1_000_000);
      const one = gateOver(simulation, budget);
      const other = gateOver(simulation, budget);
      one.gate.send(bytes(300_000));
      other.gate.send(bytes(200_000));
      expect(budget.usedBytes).toBe(500_000);
      one.connection.bufferedBytes = 0;
      one.gate.check();
      expect(budget.usedBytes).toBe(200_000);
      other.gate.close();
      expect(budget.usedBytes).toBe(0);
    }));

  it("makes a client take its last answer first when the broker has no room, and nobody else", () =>
    simulated(async (_, simulation) => {
      const budget = new ResponseBudget(150_000);
      const slow = gateOver(simulation, budget, 10_000_000);
      const quick = gateOver(simulation, budget, 10_000_000);
      slow.gate.send(bytes(200_000));
      const ran: string[] = [];
      const done = [slow, quick].map(async ({ gate }, index) =>
        gate.inTurn(async () => {
          await Promise.resolve();
          ran.push(index === 0 ? "slow" : "quick");
        }),
      );
      await simulation.sleep(200);
      expect(ran).toEqual(["quick"]);
      slow.connection.bufferedBytes = 0;
      await simulation.sleep(200);
      await Promise.all(done);
      expect(ran).toEqual(["quick", "slow"]);
    }));
});
