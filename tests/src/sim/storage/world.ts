// The world of one seed: a machine whose process starts, works, and ends in every way that there is, again and again, with
// its disk failing and damaged in between; and the model that says what must be left.

import type { Logger, ServerRuntime } from "@millrace/runtime";
import type { MutationKind, SimNode, Simulation } from "@millrace/runtime/sim";
import { type Finding, LogManager } from "@millrace/storage";
import { administrator, create } from "./administration.js";
import { checkAfterStart } from "./after-start.js";
import { appender } from "./appends.js";
import { compactor, drawCompacted, openCompacted } from "./compacted-logs.js";
import type { CompactedModel } from "./compacted-model.js";
import { type DamageTools, damageAtRest, damageWhileRunning, rememberIndexes } from "./damage.js";
import {
  type CheckedDirectory,
  checkMarkers,
  checkQuickStart,
  checkScrubbed,
  checkVerification,
} from "./directory-checks.js";
import { engineLog } from "./engine-log.js";
import type { Hazards } from "./hazards.js";
import { Life, Tally } from "./life.js";
import type { ModelLog } from "./model-log.js";
import { hasWrongId, putBack } from "./operator.js";
import type { PlantedRuntime } from "./planted-bugs.js";
import { reader } from "./reads.js";
import { repairSome } from "./repairs.js";
import { armCrash, noTrouble, trouble, troubleStart } from "./trouble.js";

const PATH = "/var/data";
/** Starts in a row that may fail: each has its own fault. */
const STARTS_MAX = 12;

/** How a life ended. */
type Ending = "clean" | "kill" | "powerLoss" | "failure";

export interface WorldOptions {
  readonly simulation: Simulation;
  readonly hazards: Hazards;
  readonly plant: (runtime: ServerRuntime) => PlantedRuntime;
  readonly note: (text: string) => void;
}

export class StorageWorld {
  readonly tally = new Tally();
  readonly models = new Map<string, ModelLog>();
  readonly #options: WorldOptions;
  readonly #simulation: Simulation;
  readonly #hazards: Hazards;
  readonly #node: SimNode;
  readonly #damage: DamageTools;
  readonly #compacted: CompactedModel | undefined;
  readonly #directory: CheckedDirectory;
  readonly #logger: Logger;
  #disarm: () => void = () => undefined;
  #lastEnding: Ending = "kill";
  /** Something was damaged since the last start: nothing can be said about what a start reads. */
  #isDamaged = false;
  #nextPartition = 0;
  /** Since the last start. */
  #isJournalDamaged = false;
  /** The last life saw disk faults. */
  #hadTrouble = false;

  constructor(options: WorldOptions) {
    const { simulation } = options;
    this.#options = options;
    this.#simulation = simulation;
    this.#hazards = options.hazards;
    this.#node = simulation.node("broker");
    this.#directory = { node: this.#node, path: PATH, models: this.models };
    this.#compacted = options.hazards.isCompacting ? drawCompacted(simulation.random) : undefined;
    this.#logger = engineLog(options.note, this.tally);
    this.#node.disk.onOperation(({ kind, path }) => {
      if (kind === "write" && path.includes("/commit-journal-")) {
        this.tally.count("commit journal written");
      }
    });
    this.#damage = {
      disk: this.#node.disk,
      random: simulation.random,
      models: this.models,
      tally: this.tally,
      stale: new Map(),
      // What becomes of a compacted log then, its model cannot tell.
      onJournal: options.hazards.isCompacting ? undefined : () => this.#journalDamaged(),
      hit: new Set(),
      originals: new Map(),
      note: options.note,
    };
  }

  /** @throws Violation, or whatever shows that something is wrong */
  async run(): Promise<void> {
    const { random } = this.#simulation;
    for (let life = 0; life < this.#hazards.lives; life++) {
      if (life > 0 && random.float() < this.#hazards.damage) {
        this.#isDamaged = damageAtRest(this.#damage) || this.#isDamaged;
      }
      if (life > 0 && random.float() < this.#hazards.repair) {
        await this.#repair();
      }
      const isTroubled = random.float() < this.#hazards.troubleAtStart;
      await this.#live(await this.#start(isTroubled));
    }
    // In the end everything is calm: a start, a clean stop, and a start that has nothing to do.
    for (const ending of ["clean", "clean"] as const) {
      const last = await this.#start(false);
      await checkScrubbed(last, this.#directory);
      await this.#end(last, ending);
    }
  }

  #journalDamaged(): void {
    this.#isJournalDamaged = true;
    if (this.#lastEnding === "powerLoss") {
      this.#loseJournal();
    }
  }

  #loseJournal(): void {
    for (const model of this.models.values()) {
      model.journalLost();
    }
  }

  async #repair(): Promise<void> {
    if (this.#isJournalDamaged) {
      // The operator starts the broker, and sees what that says.
      return;
    }
    const hasChanged = await repairSome(
      {
        node: this.#node,
        path: PATH,
        random: this.#simulation.random,
        tally: this.tally,
        start: () => this.#options.plant(this.#node.runtime({ logger: this.#logger })).repairing,
      },
      this.models,
    );
    this.#isDamaged ||= hasChanged;
  }

  async #start(isTroubled: boolean): Promise<Life> {
    for (let attempt = 0; attempt < STARTS_MAX; attempt++) {
      const life = await this.#tryStart(isTroubled && attempt < STARTS_MAX / 2);
      if (life !== undefined) {
        return life;
      }
    }
    throw new Error(`${STARTS_MAX} starts in a row failed`);
  }

  /** Undefined when it crashed or failed for a reason. */
  async #tryStart(isTroubled: boolean): Promise<Life | undefined> {
    await checkVerification(this.#directory, (finding) => this.#explains(finding));
    const planted = this.#options.plant(this.#node.runtime({ logger: this.#logger }));
    const troubles = isTroubled
      ? troubleStart(this.#simulation, this.#node, (at) => this.#crashStart(at))
      : undefined;
    const opening = LogManager.open({
      runtime: planted.runtime,
      path: PATH,
      nodeId: 1,
      config: this.#hazards.storage,
      createProducerState: planted.createProducerState,
    });
    const outcome = await Promise.race([
      opening.catch((error: unknown) => ({ error })),
      troubles?.crashed ?? new Promise<never>(() => undefined),
    ]);
    troubles?.stop();
    if (outcome === undefined || "error" in outcome) {
      this.#failedStart(outcome?.error, isTroubled);
      return undefined;
    }
    planted.opened();
    const life = new Life({
      simulation: this.#simulation,
      runtime: planted.runtime,
      manager: outcome,
      hazards: this.#hazards,
      tally: this.tally,
      entriesOf: planted.entriesOf,
      truncateToEpochEnd: planted.truncateToEpochEnd,
      note: this.#options.note,
    });
    if (hasWrongId(this.#damage, outcome)) {
      await outcome.close();
      putBack(this.#damage);
      this.#node.crash({});
      return undefined;
    }
    if (this.#lastEnding === "clean" && !this.#isDamaged && !this.#hadTrouble) {
      checkQuickStart(life, this.#directory, planted.logBytesRead());
    }
    await checkAfterStart(life, this.models);
    if (this.#compacted !== undefined) {
      await openCompacted(life, this.#compacted);
    }
    if (!isTroubled) {
      checkMarkers(life, this.#directory);
    }
    this.#damage.originals.clear();
    this.#isDamaged = false;
    this.#isJournalDamaged = false;
    this.#hadTrouble = false;
    while (this.models.size < this.#hazards.logs) {
      await create(life, this.models, { topic: "t", partition: this.#nextPartition++ });
    }
    return life;
  }

  #failedStart(error: unknown, isTroubled: boolean): void {
    const isExcused = error === undefined || isTroubled || this.#damage.originals.size > 0;
    if (!isExcused) {
      throw new Error(`a start failed: ${String(error)}`, { cause: error });
    }
    if (error !== undefined) {
      this.tally.count("start failed");
      this.#crash(this.#simulation.random.float() < 0.5 ? "kill" : "powerLoss");
      putBack(this.#damage);
    }
    this.#lastEnding = "kill";
  }

  #crashStart(at: MutationKind): void {
    this.#crash(this.#powerOrKill(), at);
    this.tally.count("crash during recovery");
  }

  /** What happened since the last start explains what `verify` finds. */
  #explains({ severity, path }: Finding): boolean {
    const isHintOff =
      this.#lastEnding !== "clean" || this.#hadTrouble || this.#damage.hit.has(path);
    return this.#isDamaged || severity === "torn" || (severity === "hint" && isHintOff);
  }

  async #live(life: Life): Promise<void> {
    const { random } = this.#simulation;
    const crashed = new Promise<Ending>((resolve) => {
      if (random.float() < this.#hazards.crashAtOperation) {
        const stop = armCrash(this.#node, random, (_, at) => {
          const ending = this.#powerOrKill();
          if (!life.isOver) {
            this.#crash(ending, at, life);
            resolve(ending);
          }
        });
        this.#disarm = stop;
      }
    });
    const appenders = Array.from({ length: this.#hazards.appenders }, () => appender);
    for (const actor of [...appenders, reader, reader]) {
      life.run(() => actor(life));
    }
    life.run(() => administrator(life, this.models));
    if (this.#compacted !== undefined) {
      life.run(() => compactor(life));
    }
    life.run(() => this.#troubles(life));
    const timeMs = random.float() * 2 * this.#hazards.lifeMs;
    const ending = await Promise.race([
      crashed,
      this.#simulation.sleep(timeMs).then(() => undefined),
      life.manager.failed.then((): Ending => "failure"),
      life.problem.then((problem) => {
        throw problem;
      }),
    ]);
    if (ending === "kill" || ending === "powerLoss") {
      return;
    }
    await this.#end(life, ending ?? this.#drawEnding());
  }

  async #end(life: Life, ending: Ending): Promise<void> {
    const isClean = ending === "clean" && (await this.#closed(life));
    if (life.isOver && !isClean) {
      // It crashed while it closed.
      return;
    }
    this.#disarm();
    noTrouble(this.#node.disk);
    if (isClean) {
      life.isOver = true;
      this.#lastEnding = "clean";
      this.#node.crash({});
    } else {
      const how = ending === "kill" || ending === "powerLoss" ? ending : this.#powerOrKill();
      this.#crash(how, undefined, life);
      this.tally.count(`end: ${ending}`);
    }
    rememberIndexes(this.#damage);
  }

  /** Whether the manager closed without a fault; then everything that was taken is durable. */
  async #closed(life: Life): Promise<boolean> {
    // New operations end here; those that run are let through, as a broker does.
    life.isClosing = true;
    while (life.changing > 0 && !life.isOver) {
      await this.#simulation.sleep(1);
    }
    if (life.isOver) {
      return false;
    }
    const closed = await Promise.race([
      life.manager.close().then(
        () => true,
        () => false,
      ),
      life.over,
    ]);
    if (life.isOver || life.hasFailed || closed !== true) {
      return false;
    }
    this.tally.count("end: clean");
    for (const { model, log } of life.logs.values()) {
      if (model.isDamaged) {
        continue;
      }
      model.discardBehind(log.logEndOffset);
      model.promise(log.recoveryPoint, true);
    }
    return true;
  }

  #drawEnding(): Ending {
    const { random } = this.#simulation;
    return random.float() < 0.35 ? "clean" : this.#powerOrKill();
  }

  #powerOrKill(): "kill" | "powerLoss" {
    return this.#simulation.random.float() < this.#hazards.powerLossShare ? "powerLoss" : "kill";
  }

  #crash(ending: "kill" | "powerLoss", at?: MutationKind, life?: Life): void {
    for (const { model, log } of life?.logs.values() ?? []) {
      // What the log itself counts as fsynced is promised, whoever was told.
      model.landed = log.recoveryPoint;
      if (!model.isDamaged) {
        model.promise(log.recoveryPoint, true);
      }
    }
    if (life?.compacted !== undefined) {
      const { model, log } = life.compacted;
      model.promise(log.recoveryPoint, true);
    }
    if (life !== undefined) {
      life.end();
    }
    if (at !== undefined) {
      this.tally.count(`${ending} at ${at}`);
    }
    this.#options.note(`${ending} at ${at ?? "rest"}`);
    this.#disarm();
    this.#node.crash({ powerLoss: ending === "powerLoss" });
    noTrouble(this.#node.disk);
    this.#lastEnding = ending;
    if (ending === "powerLoss") {
      this.#compacted?.powerLost();
      for (const model of this.models.values()) {
        model.powerLost();
      }
      if (this.#isJournalDamaged) {
        this.#loseJournal();
      }
    }
  }

  async #troubles(life: Life): Promise<void> {
    const { random } = this.#simulation;
    while (!life.isOver && random.float() < this.#hazards.trouble) {
      await this.#simulation.sleep(random.float() * this.#hazards.lifeMs);
      if (life.isOver || life.isClosing) {
        return;
      }
      if (random.float() < 0.15 && this.#hazards.damage > 0) {
        const open = life.pick();
        if (
          open !== undefined &&
          !open.model.isBusy &&
          damageWhileRunning(this.#damage, open.model)
        ) {
          this.#isDamaged = true;
        }
      } else {
        life.hasTrouble = true;
        this.#hadTrouble = true;
        await trouble(this.#simulation, this.#node.disk);
      }
    }
  }
}
