import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { CommitScheduler, type CommitTarget, type CommitWay } from "./commit-scheduler.js";

// Logs of which a round takes as long as its bytes say, in virtual time: 1 ms for the sync and 1 ms for each MiB.

const MIB = 1024 * 1024;
const SYNC_MS = 1;
const ROUND_BYTES_MAX = 32 * MIB;

interface Batch {
  readonly sizeBytes: number;
  readonly appendedMs: number;
}

interface Clock {
  monotonicMs(): number;
  sleep(delayMs: number): Promise<void>;
  defer(callback: () => void): void;
}

interface Scheduler {
  schedule(target: CommitTarget): void;
}

class FakeLog implements CommitTarget {
  readonly waitsMs: number[] = [];
  readonly ways: CommitWay[] = [];
  committedBytes = 0;
  isRunning = false;
  #queue: Batch[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  get hasWork(): boolean {
    return this.#queue.length > 0;
  }

  get fitsJournal(): boolean {
    return this.#queue.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= 64 * 1024;
  }

  append(sizeBytes: number): void {
    this.#queue.push({ sizeBytes, appendedMs: this.#world.clock.monotonicMs() });
    this.#world.scheduler.schedule(this);
  }

  async commitRound(way: CommitWay): Promise<void> {
    expect(this.isRunning).toBe(false);
    this.isRunning = true;
    this.ways.push(way);
    const taken: Batch[] = [];
    let bytes = 0;
    while (this.#queue[0] !== undefined && bytes + this.#queue[0].sizeBytes <= ROUND_BYTES_MAX) {
      const batch = this.#queue.shift() as Batch;
      bytes += batch.sizeBytes;
      taken.push(batch);
    }
    await this.#world.commit(way, bytes);
    for (const { appendedMs } of taken) {
      this.waitsMs.push(this.#world.clock.monotonicMs() - appendedMs);
    }
    this.committedBytes += bytes;
    this.isRunning = false;
  }
}

class World {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly logs: FakeLog[];
  filesAtOnceMax = 0;
  #filesAtOnce = 0;
  #frame: Promise<void> | undefined;
  #frameEnds: Promise<void> = Promise.resolve();

  constructor(clock: Clock, scheduler: Scheduler, count: number) {
    this.clock = clock;
    this.scheduler = scheduler;
    this.logs = Array.from({ length: count }, () => new FakeLog(this));
  }

  async commit(way: CommitWay, bytes: number): Promise<void> {
    if (way === "journal") {
      await this.#nextFrame();
      return;
    }
    this.#filesAtOnce++;
    this.filesAtOnceMax = Math.max(this.filesAtOnceMax, this.#filesAtOnce);
    await this.clock.sleep(SYNC_MS + bytes / MIB);
    this.#filesAtOnce--;
  }

  /** All that comes while one frame is on its way shares the next. */
  #nextFrame(): Promise<void> {
    this.#frame ??= this.#frameEnds.then(() => {
      this.#frame = undefined;
      this.#frameEnds = this.clock.sleep(SYNC_MS);
      return this.#frameEnds;
    });
    return this.#frame;
  }
}

/** Newest first: what a scheduler must not be. */
class StackScheduler implements Scheduler {
  readonly #waiting: CommitTarget[] = [];
  #running = 0;

  schedule(target: CommitTarget): void {
    if (!this.#waiting.includes(target) && !(target as FakeLog).isRunning) {
      this.#waiting.push(target);
      this.#start();
    }
  }

  #start(): void {
    const next = this.#running < 3 ? this.#waiting.pop() : undefined;
    if (next !== undefined) {
      this.#running++;
      void next.commitRound("file").finally(() => {
        this.#running--;
        if (next.hasWork) {
          this.#waiting.push(next);
        }
        this.#start();
      });
    }
  }
}

interface Load {
  readonly scheduler: (clock: Clock) => Scheduler;
  readonly quietLogs: number;
  readonly seconds: number;
  /** Every millisecond. */
  readonly busyBytes: number;
  /** A log that appends as much as a round takes, as often as it may. */
  readonly greedyBytes?: number;
}

/** One busy log, and many with one small batch a second each; and one that is greedy. */
async function run(load: Load): Promise<World> {
  const simulation = new Simulation({ seed: 3 });
  const { clock } = simulation.node("broker").runtime();
  const world = new World(clock, load.scheduler(clock), load.quietLogs + 2);
  const [busy, greedy, ...quiet] = world.logs as [FakeLog, FakeLog, ...FakeLog[]];
  await simulation.run(async () => {
    for (let ms = 0; ms < load.seconds * 1000; ms++) {
      busy.append(load.busyBytes);
      if (load.greedyBytes !== undefined && !greedy.hasWork) {
        greedy.append(load.greedyBytes);
      }
      for (let index = ms % 1000; index < quiet.length; index += 1000) {
        quiet[index]?.append(1024);
      }
      await clock.sleep(1);
    }
    await clock.sleep(60_000);
  });
  return world;
}

const fair = (journal: boolean) => (clock: Clock) =>
  new CommitScheduler({
    clock,
    roundsAtOnceMax: 3,
    journal: journal ? { hasRoom: true } : undefined,
  });

const worst = (log: FakeLog | undefined): number => Math.max(0, ...(log?.waitsMs ?? []));
const quietOf = (world: World): FakeLog[] => world.logs.slice(2);

describe("the commit scheduler", () => {
  it.each([true, false])(
    "lets 1,000 quiet logs and a busy one have what each asks for, without long waits (journal: %s)",
    async (journal) => {
      const load = { quietLogs: 1_000, seconds: 5, busyBytes: 256 * 1024 };
      const world = await run({ ...load, scheduler: fair(journal) });
      const [busy] = world.logs;
      expect(busy?.committedBytes).toBe(5_000 * 256 * 1024);
      expect(worst(busy)).toBeLessThan(10);
      expect(Math.max(...quietOf(world).map(worst))).toBeLessThan(10);
      expect(world.filesAtOnceMax).toBeLessThanOrEqual(3);
    },
  );

  it.each([true, false])(
    "does not let small rounds wait for more than one large one each turn (journal: %s)",
    async (journal) => {
      const load = { quietLogs: 1_000, seconds: 5, busyBytes: 64 * 1024 };
      const scheduler = fair(journal);
      const world = await run({ ...load, scheduler, greedyBytes: ROUND_BYTES_MAX });
      const [busy, greedy] = world.logs;
      expect(greedy?.committedBytes).toBeGreaterThan(100 * ROUND_BYTES_MAX);
      expect(worst(busy)).toBeLessThan(50);
      expect(Math.max(...quietOf(world).map(worst))).toBeLessThan(50);
    },
  );

  it("is what keeps waits short: newest first starves somebody (negative control)", async () => {
    const world = await run({
      scheduler: () => new StackScheduler(),
      quietLogs: 3_500,
      seconds: 5,
      busyBytes: 256 * 1024,
    });
    expect(Math.max(...world.logs.map(worst))).toBeGreaterThan(1_000);
  });

  it("goes through the journal when more logs wait than may sync, and not otherwise", async () => {
    const crowded = await run({
      scheduler: fair(true),
      quietLogs: 5_000,
      seconds: 2,
      busyBytes: 1024,
    });
    const ways = quietOf(crowded).flatMap((log) => log.ways);
    const journaled = ways.filter((way) => way === "journal").length;
    expect(journaled / ways.length).toBeGreaterThan(0.9);
    const alone = await run({ scheduler: fair(true), quietLogs: 1, seconds: 2, busyBytes: 1024 });
    expect(alone.logs.flatMap((log) => log.ways)).not.toContain("journal");
  });

  it("leaves what is too large for the journal to the files, in order, and a thread to reads", async () => {
    const simulation = new Simulation({ seed: 4 });
    const { clock } = simulation.node("broker").runtime();
    const world = new World(clock, fair(true)(clock), 40);
    await simulation.run(async () => {
      for (const log of world.logs) {
        log.append(MIB);
      }
      await clock.sleep(1_000);
    });
    expect(world.logs.flatMap((log) => log.ways)).toEqual(world.logs.map(() => "file"));
    expect(world.filesAtOnceMax).toBe(3);
    const waits = world.logs.map(worst);
    expect(waits).toEqual([...waits].sort((left, right) => left - right));
  });
});
