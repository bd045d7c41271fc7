// Rounds of: load, kill -9 at a random moment (with `powerCut`: and take back what no completed sync covers),
// restart, read everything back, compare with what was promised. Every few rounds a fresh directory.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Millrace } from "millrace";
import { type Loss, loseAtRandom, loseEverything } from "../power-cut/disk-image.js";
import { cutPower, readTree, shimEnvironment } from "../power-cut/real-disk.js";
import { BrokerProcess, type BrokerProcessOptions, runBroker } from "../process/broker-process.js";
import { Ledger, type Verdict } from "./ledger.js";
import { Load, type LoadOptions, pauseMs, readBack } from "./load.js";

export interface RoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Path of the shim library; undefined: only kill. */
  readonly shim?: string | undefined;
  readonly flush: "sync" | "os";
  readonly onRound?: (round: RoundResult) => void;
}

export interface RoundResult {
  readonly round: number;
  readonly killedAfterMs: number;
  readonly lostBytes: number;
  readonly lostNames: number;
  readonly verdict: Verdict;
}

export interface RoundsResult {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly read: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly killedWhileStarting: number;
  readonly lostBytes: number;
  readonly lostNames: number;
  readonly failedSends: number;
  readonly problems: readonly string[];
}

const ROUNDS_PER_DIRECTORY = 20;
const load: LoadOptions = {
  topic: "crash",
  // More than may sync at once: most of it goes through the commit journal.
  partitions: 12,
  producers: 2,
  recordBytes: 200,
  outstandingMax: 200,
};

/** A small generator of its own (mulberry32), so that a seed repeats the moments and the losses. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export async function runRounds(options: RoundsOptions): Promise<RoundsResult> {
  const random = randomFrom(options.seed);
  const total = {
    rounds: 0,
    acknowledged: 0,
    read: 0,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    killedWhileStarting: 0,
    lostBytes: 0,
    lostNames: 0,
    failedSends: 0,
    problems: [] as string[],
  };
  while (total.rounds < options.rounds) {
    const directory = new RoundsInDirectory(options, random);
    try {
      const rounds = Math.min(ROUNDS_PER_DIRECTORY, options.rounds - total.rounds);
      const verdict = await directory.run(rounds, total.rounds);
      total.rounds += rounds;
      total.acknowledged += verdict.acknowledged;
      total.read += verdict.read;
      total.lost += verdict.lost;
      total.duplicated += verdict.duplicated;
      total.outOfOrder += verdict.outOfOrder;
      total.problems.push(...verdict.problems);
    } finally {
      total.killedWhileStarting += directory.killedWhileStarting;
      total.lostBytes += directory.lostBytes;
      total.lostNames += directory.lostNames;
      total.failedSends += directory.failedSends;
      await directory.cleanUp();
    }
  }
  return total;
}

class RoundsInDirectory {
  killedWhileStarting = 0;
  lostBytes = 0;
  lostNames = 0;
  failedSends = 0;
  readonly #options: RoundsOptions;
  readonly #random: () => number;
  readonly #scratch = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  readonly #directory = join(this.#scratch, "data");
  readonly #journal = join(this.#scratch, "journal");
  readonly #ledger = new Ledger();
  #before = new Map() as ReturnType<typeof readTree>;
  #broker: BrokerProcess | undefined;
  #client: Millrace | undefined;
  #port = 0;

  constructor(options: RoundsOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  async run(rounds: number, firstRound: number): Promise<Verdict> {
    await this.#start();
    const client = new Millrace(`ws://127.0.0.1:${this.#port}`);
    this.#client = client;
    await client.admin().createTopic(load.topic, {
      partitions: load.partitions,
      config: { flush: this.#options.flush, "segment.bytes": "1048576" },
    });
    const running = new Load(client, this.#ledger, load);
    running.start();
    let verdict = this.#ledger.verdict();
    for (let round = 0; round < rounds; round++) {
      running.resume();
      const killedAfterMs = 30 + this.#random() * 500;
      await pauseMs(killedAfterMs);
      const cut = await this.#crash();
      await this.#start();
      await running.pause();
      await readBack(client, this.#ledger, load);
      verdict = this.#ledger.verdict();
      this.#options.onRound?.({ round: firstRound + round, killedAfterMs, ...cut, verdict });
      if (verdict.lost + verdict.duplicated + verdict.outOfOrder > 0) {
        break;
      }
    }
    this.failedSends = running.failures;
    await running.stop();
    return verdict;
  }

  get #process(): BrokerProcessOptions {
    return {
      dataDirectory: this.#directory,
      port: this.#port,
      environment:
        this.#options.shim === undefined
          ? {}
          : shimEnvironment({
              library: this.#options.shim,
              directory: this.#directory,
              journal: this.#journal,
            }),
    };
  }

  /** Starts the broker; now and then it is killed while it starts, first. */
  async #start(): Promise<void> {
    while (this.#port !== 0 && this.#random() < 0.15) {
      this.killedWhileStarting++;
      await runBroker({ ...this.#process, startTimeoutMs: 100 + this.#random() * 400 });
      this.#cut();
    }
    this.#broker = await BrokerProcess.start(this.#process);
    this.#port = this.#broker.port;
  }

  async #crash(): Promise<{ lostBytes: number; lostNames: number }> {
    await this.#broker?.kill("SIGKILL");
    return this.#cut();
  }

  #cut(): { lostBytes: number; lostNames: number } {
    if (this.#options.shim === undefined) {
      return { lostBytes: 0, lostNames: 0 };
    }
    const loss: Loss = this.#random() < 0.5 ? loseEverything : loseAtRandom(this.#random);
    const cut = cutPower({
      directory: this.#directory,
      journal: this.#journal,
      before: this.#before,
      loss,
    });
    this.#before = readTree(this.#directory);
    this.lostBytes += cut.lostBytes;
    this.lostNames += cut.lostNames;
    return cut;
  }

  async cleanUp(): Promise<void> {
    await this.#client?.close();
    if (this.#broker?.isRunning) {
      await this.#broker.kill("SIGKILL");
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
