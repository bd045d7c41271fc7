// Rounds of: load, kill -9 at a random moment (with `powerCut`: and take back what no completed sync covers),
// restart, read everything back, compare with what was promised. Every few rounds a fresh directory.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Millrace } from "millrace";
import { type Loss, loseAtRandom, loseEverything } from "../power-cut/disk-image.js";
import { cutPower, readTree, shimEnvironment } from "../power-cut/real-disk.js";
import { BrokerProcess, type BrokerProcessOptions, runBroker } from "../process/broker-process.js";
import {
  healthOf,
  hurriedScrubbing,
  type JournalContent,
  journalContent,
  whenCleaned,
} from "./broker-activity.js";
import { KeyedRecords } from "./keyed-records.js";
import type { Verdict } from "./ledger.js";
import { Load, type LoadOptions, pauseMs } from "./load.js";
import { PlainRecords } from "./plain-records.js";
import type { RoundRecords } from "./round-records.js";

export interface RoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Path of the shim library; undefined: only kill. */
  readonly shim?: string | undefined;
  readonly flush: "sync" | "os";
  /** Over a compacted topic, while the log cleaner is at work. */
  readonly isCompacted: boolean;
  /** The commit journal is taken away before each start: a negative control. */
  readonly dropsJournal: boolean;
  readonly onRound?: (round: RoundResult) => void;
}

/** What the brokers that were killed had done besides. */
export interface Activity {
  /** Passes of the log cleaner that came to their end. */
  readonly cleanings: number;
  /** Bytes that the background verification had read. */
  readonly scrubbedBytes: number;
  /** What the commit journal held when they died. */
  readonly journalCommits: number;
  readonly journalRounds: number;
}

interface Cut {
  readonly lostBytes: number;
  readonly lostNames: number;
}

export interface RoundResult extends Activity, Cut {
  readonly round: number;
  readonly killedAfterMs: number;
  readonly verdict: Verdict;
}

export interface RoundsResult extends Activity, Cut {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly read: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly invented: number;
  /** Partitions that the broker did not serve any more. */
  readonly refused: number;
  readonly killedWhileStarting: number;
  readonly failedSends: number;
  readonly problems: readonly string[];
}

const ROUNDS_PER_DIRECTORY = 20;
const load: LoadOptions = {
  topic: "crash",
  // More than may sync at once: most of it goes through the commit journal.
  partitions: 12,
  producers: 2,
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

/** Of a verdict, or of many. */
export function violations(verdict: Omit<Verdict, "acknowledged" | "read" | "problems">): number {
  const { duplicated, invented, lost, outOfOrder, refused } = verdict;
  return lost + duplicated + outOfOrder + invented + refused;
}

const counters = [
  "acknowledged",
  "read",
  "lost",
  "duplicated",
  "outOfOrder",
  "invented",
  "refused",
  "cleanings",
  "scrubbedBytes",
  "journalCommits",
  "journalRounds",
  "killedWhileStarting",
  "lostBytes",
  "lostNames",
  "failedSends",
] as const;

type Counts = Record<(typeof counters)[number], number>;

export async function runRounds(options: RoundsOptions): Promise<RoundsResult> {
  const random = randomFrom(options.seed);
  const total = Object.fromEntries(counters.map((name) => [name, 0])) as Counts;
  const problems: string[] = [];
  let rounds = 0;
  while (rounds < options.rounds) {
    const directory = new RoundsInDirectory(options, random);
    try {
      const count = Math.min(ROUNDS_PER_DIRECTORY, options.rounds - rounds);
      const verdict = await directory.run(count, rounds);
      rounds += count;
      problems.push(...verdict.problems);
      for (const name of counters) {
        total[name] +=
          name in verdict ? verdict[name as keyof Counts & keyof Verdict] : directory.counts[name];
      }
    } finally {
      await directory.cleanUp();
    }
  }
  return { rounds, ...total, problems };
}

class RoundsInDirectory {
  /** What the verdict does not know. */
  readonly counts = Object.fromEntries(counters.map((name) => [name, 0])) as Counts;
  readonly #options: RoundsOptions;
  readonly #random: () => number;
  readonly #scratch = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  readonly #directory = join(this.#scratch, "data");
  readonly #journal = join(this.#scratch, "journal");
  readonly #records: RoundRecords;
  #before = new Map() as ReturnType<typeof readTree>;
  #broker: BrokerProcess | undefined;
  #client: Millrace | undefined;
  #port = 0;

  constructor(options: RoundsOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#records = options.isCompacted ? new KeyedRecords(random) : new PlainRecords();
  }

  async run(rounds: number, firstRound: number): Promise<Verdict> {
    await this.#start();
    const client = new Millrace(`ws://127.0.0.1:${this.#port}`);
    this.#client = client;
    await client.admin().createTopic(load.topic, {
      partitions: load.partitions,
      config: { ...this.#records.topicConfig, flush: this.#options.flush },
    });
    const running = new Load(client, this.#records, load);
    running.start();
    let verdict: Verdict | undefined;
    for (let round = 0; round < rounds; round++) {
      running.resume();
      const killedAfterMs = await this.#loadForAWhile();
      const { cleaner, scrub } = await healthOf(this.#port);
      const result = await this.#crash();
      const activity = { cleanings: cleaner.passes, scrubbedBytes: scrub.verifiedBytes, ...result };
      this.#count(activity);
      await this.#start();
      await running.pause();
      verdict = await this.#records.readBack(client, load);
      this.#options.onRound?.({ round: firstRound + round, killedAfterMs, ...activity, verdict });
      if (violations(verdict) > 0) {
        break;
      }
    }
    this.counts.failedSends = running.failures;
    await running.stop();
    return verdict ?? (await this.#records.readBack(client, load));
  }

  /** @returns for how long */
  async #loadForAWhile(): Promise<number> {
    const begunMs = performance.now();
    await pauseMs(30 + this.#random() * 500);
    if (this.#records.isCompacted) {
      await whenCleaned(this.#port);
      // Not just behind the end of a cleaning, every time.
      await pauseMs(this.#random() * 100);
    }
    return performance.now() - begunMs;
  }

  #count(counts: Partial<Counts>): void {
    for (const name of counters) {
      this.counts[name] += counts[name] ?? 0;
    }
  }

  get #process(): BrokerProcessOptions {
    const { shim } = this.#options;
    const cutting =
      shim === undefined
        ? {}
        : shimEnvironment({ library: shim, directory: this.#directory, journal: this.#journal });
    const settings = Object.entries(this.#records.brokerConfig);
    return {
      dataDirectory: this.#directory,
      port: this.#port,
      arguments: settings.flatMap(([key, value]) => ["--set", `${key}=${value}`]),
      environment: { ...hurriedScrubbing(), ...cutting },
    };
  }

  /** Starts the broker; now and then it is killed while it starts, first. */
  async #start(): Promise<void> {
    while (this.#port !== 0 && this.#random() < 0.15) {
      this.counts.killedWhileStarting++;
      await runBroker({ ...this.#process, startTimeoutMs: 100 + this.#random() * 400 });
      this.#count(this.#cut());
    }
    this.#broker = await BrokerProcess.start(this.#process);
    this.#port = this.#broker.port;
  }

  async #crash(): Promise<Cut & Pick<Activity, "journalCommits" | "journalRounds">> {
    await this.#broker?.kill("SIGKILL");
    const journal: JournalContent = await journalContent(this.#directory);
    const cut = this.#cut();
    if (this.#options.dropsJournal) {
      for (const name of ["commit-journal-0", "commit-journal-1"]) {
        rmSync(join(this.#directory, name), { force: true });
      }
      this.#before = readTree(this.#directory);
    }
    return { ...cut, journalCommits: journal.commits, journalRounds: journal.rounds };
  }

  #cut(): Cut {
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
