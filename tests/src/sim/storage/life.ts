// One life of the process: from a start that succeeded to its end, whatever ends it. What its actors share, and the only
// way in which they touch a log.

import type { ServerRuntime } from "@millrace/runtime";
import type { Simulation } from "@millrace/runtime/sim";
import type { EpochEnd, Log, LogManager } from "@millrace/storage";
import type { CompactedModel } from "./compacted-model.js";
import type { Hazards } from "./hazards.js";
import type { ModelLog } from "./model-log.js";

export interface OpenLog {
  readonly model: ModelLog;
  readonly log: Log;
}

/** What a seed saw. */
export class Tally {
  acknowledged = 0;
  read = 0;
  readonly counts = new Map<string, number>();

  count(kind: string, times = 1): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + times);
  }
}

export class Life {
  readonly simulation: Simulation;
  readonly runtime: ServerRuntime;
  readonly manager: LogManager;
  readonly hazards: Hazards;
  readonly tally: Tally;
  /** By partition name; a log is taken out when its deletion begins. */
  readonly logs = new Map<string, OpenLog>();
  /** The compacted log, when the seed has one and it is open. */
  compacted: { readonly model: CompactedModel; readonly log: Log } | undefined;
  /** What a topic's configuration becomes on its way to the engine: the same, but for a planted bug. */
  readonly entriesOf: (entries: Readonly<Record<string, string>>) => Record<string, string>;
  /** `log.truncateToEpochEnd`, but for a planted bug. */
  readonly truncateToEpochEnd: (log: Log, leaderEnd: EpochEnd) => Promise<boolean>;
  readonly note: (text: string) => void;
  /** Resolves with what an actor found wrong. */
  readonly problem: Promise<unknown>;
  /** The process is dead, or is to be stopped: nobody begins anything, and nothing counts any more. */
  isOver = false;
  /** The process is being stopped in order: nobody begins anything new. */
  isClosing = false;
  /** Resolves when the process is dead. */
  readonly over: Promise<void>;
  /** The data directory has failed for good. */
  hasFailed = false;
  /** Disk faults were armed: a refusal has an excuse. */
  hasTrouble = false;
  /** Operations of the administrators that run now. */
  changing = 0;
  #report: (problem: unknown) => void = () => undefined;
  #announceEnd: () => void = () => undefined;

  constructor(options: {
    simulation: Simulation;
    runtime: ServerRuntime;
    manager: LogManager;
    hazards: Hazards;
    tally: Tally;
    entriesOf: Life["entriesOf"];
    truncateToEpochEnd: Life["truncateToEpochEnd"];
    note: (text: string) => void;
  }) {
    this.simulation = options.simulation;
    this.runtime = options.runtime;
    this.manager = options.manager;
    this.hazards = options.hazards;
    this.tally = options.tally;
    this.entriesOf = options.entriesOf;
    this.truncateToEpochEnd = options.truncateToEpochEnd;
    this.note = options.note;
    void this.manager.failed.then(() => {
      this.hasFailed = true;
    });
    this.over = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
    this.problem = new Promise((resolve) => {
      this.#report = resolve;
    });
  }

  get random(): Simulation["random"] {
    return this.simulation.random;
  }

  get isEnding(): boolean {
    return this.isOver || this.isClosing;
  }

  /** The process is dead. */
  end(): void {
    this.isOver = true;
    this.#announceEnd();
  }

  /** Time passes for an actor. */
  async pause(): Promise<void> {
    await this.simulation.sleep(this.random.float() * 2 * this.hazards.pauseMs);
  }

  pick(): OpenLog | undefined {
    const all = [...this.logs.values()];
    return all[this.random.below(Math.max(1, all.length))];
  }

  /** The manager has failed or the process is gone: answers mean nothing any more. */
  isDead({ log }: OpenLog): boolean {
    return this.isOver || log.state === "offline";
  }

  /** Runs an actor; what it throws is a problem, unless the life was over by then. */
  run(actor: () => Promise<void>): void {
    actor().catch((error: unknown) => this.report(error));
  }

  report(problem: unknown): void {
    if (!this.isOver) {
      this.#report(problem);
    }
  }
}
