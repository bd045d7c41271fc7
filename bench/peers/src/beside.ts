// The disk and the socket by themselves, in slices right before and right after one of Millrace's loads: its targets for
// latency are ratios to these. Both back to back, as a sceptic would measure them, and paced as the load paces them.

import { RawFile, SMALL_APPEND_BYTES } from "./disk.js";
import { Echo } from "./echo.js";
import { type LatencySummary, round, summarise } from "./statistics.js";
import { closedLoop, Samples } from "./worker/closed-loop.js";
import { pause } from "./worker/pause.js";
import { IDLE_GAP_MS, type Workload } from "./workloads.js";

/** 1 KiB appends with `fdatasync`, and `ws` round trips of 100 B. Paced: as often as the load's records leave. */
export interface Beside {
  readonly syncMs?: LatencySummary;
  readonly pacedSyncMs?: LatencySummary;
  readonly echoMs?: LatencySummary;
  readonly pacedEchoMs?: LatencySummary;
  readonly echoPerSecond?: number;
}

/** Seconds of each slice, and how long the paced ones pause; undefined: not of interest. */
interface Slices {
  readonly backToBack: number;
  readonly paced?: { readonly seconds: number; readonly gapMs: number; readonly withEcho: boolean };
}

const slices: Readonly<Record<string, Slices>> = {
  awaited: { backToBack: 0.4 },
  // Records are due 10 to a millisecond.
  "latency-10000": { backToBack: 0.4, paced: { seconds: 0.6, gapMs: 1, withEcho: false } },
  idle: { backToBack: 0.4, paced: { seconds: 2.5, gapMs: IDLE_GAP_MS, withEcho: true } },
};

export class BesideLoad {
  readonly #directory: string;
  readonly #slices: Slices;
  readonly #sync = new Samples();
  readonly #pacedSync = new Samples();
  readonly #echo = new Samples();
  readonly #pacedEcho = new Samples();
  #echoSeconds = 0;

  private constructor(directory: string, wanted: Slices) {
    this.#directory = directory;
    this.#slices = wanted;
  }

  /** undefined where no target asks for it. */
  static for(
    { client, workload, durability }: { client: string; workload: Workload; durability: string },
    directory: string,
  ): BesideLoad | undefined {
    const wanted = slices[workload.name];
    const isAsked = durability === "sync" || workload.name === "awaited";
    return wanted !== undefined && client === "millrace" && isAsked
      ? new BesideLoad(directory, wanted)
      : undefined;
  }

  async slice(): Promise<void> {
    const { backToBack, paced } = this.#slices;
    using file = new RawFile(this.#directory, SMALL_APPEND_BYTES);
    file.backToBack(this.#sync, backToBack);
    using echo = await Echo.start();
    const roundTrip = (): Promise<void> => echo.roundTrip();
    await closedLoop(roundTrip, { width: 1, seconds: backToBack / 2 });
    await closedLoop(roundTrip, { width: 1, seconds: backToBack, samples: this.#echo });
    this.#echoSeconds += backToBack;
    if (paced?.withEcho === true) {
      await this.#pacedBoth(file, echo, paced);
    } else if (paced !== undefined) {
      await file.paced(this.#pacedSync, paced.seconds, paced.gapMs);
    }
  }

  /** An append and a round trip in turns, each of them `gapMs` after the one before. */
  async #pacedBoth(
    file: RawFile,
    echo: Echo,
    { seconds, gapMs }: { seconds: number; gapMs: number },
  ): Promise<void> {
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      this.#pacedSync.add(file.appendAndSync());
      await pause(gapMs / 2);
      const asked = performance.now();
      await echo.roundTrip();
      this.#pacedEcho.add(performance.now() - asked);
      await pause(gapMs / 2);
    }
  }

  result(): Beside {
    const entries = {
      syncMs: summarise(this.#sync.values),
      pacedSyncMs: summarise(this.#pacedSync.values),
      echoMs: summarise(this.#echo.values),
      pacedEchoMs: summarise(this.#pacedEcho.values),
      echoPerSecond: round(this.#echo.values.length / this.#echoSeconds, 0),
    };
    return Object.fromEntries(
      Object.entries(entries).filter(([, value]) => value !== undefined),
    ) as Beside;
  }
}
