// One incarnation of a node: what lives between a start and a crash. Everything that the program waits for
// belongs to it, so that a dead process's timers, connections and file operations never come back.

import type { Random } from "../random.js";
import type { EventOwner, EventPhase, SimEvent } from "./event-queue.js";
import { SimRandom } from "./sim-random.js";
import type { World } from "./world.js";

const phaseOrder: Readonly<Record<EventPhase, number>> = { timer: 0, io: 1, deferred: 2 };

export class SimProcess implements EventOwner {
  /** The node's name, and which of its lives this is: "broker-1" or "broker-1#2". */
  readonly name: string;
  readonly nodeName: string;
  readonly incarnation: number;
  /** One source for the whole process. */
  readonly random: Random;
  readonly #world: World;
  #held: SimEvent[] = [];
  #isAlive = true;
  #resumeAt = -1;

  constructor(world: World, nodeName: string, incarnation: number) {
    this.#world = world;
    this.nodeName = nodeName;
    this.incarnation = incarnation;
    this.name = incarnation === 1 ? nodeName : `${nodeName}#${incarnation}`;
    this.random = new SimRandom(world.prng.fork(`random:${this.name}`));
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#resumeAt >= 0;
  }

  hold(event: SimEvent): void {
    this.#held.push(event);
  }

  /** Frozen: nothing of it runs for so long; then everything that came due runs in a burst. */
  pause(durationMs: number): void {
    const resumeAt = this.#world.scheduler.nowMs + durationMs;
    if (!this.#isAlive || resumeAt <= this.#resumeAt) {
      return;
    }
    this.#resumeAt = resumeAt;
    this.#world.scheduler.schedule({
      delayMs: durationMs,
      kind: "process.resume",
      label: this.name,
      run: () => {
        // A longer pause that began meanwhile has its own event.
        if (this.#resumeAt === resumeAt) {
          this.#resume();
        }
      },
    });
  }

  /** Idempotent. */
  die(): void {
    this.#isAlive = false;
    this.#held = [];
  }

  #resume(): void {
    this.#resumeAt = -1;
    const held = this.#held;
    this.#held = [];
    // Node runs the timers that came due before it looks at its sockets; the sort is stable.
    held.sort((a, b) => phaseOrder[a.phase] - phaseOrder[b.phase]);
    this.#world.scheduler.release(held);
  }
}
