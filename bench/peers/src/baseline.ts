// What the machine does without any of the peers, measured in every round: the disk by itself, and a bare `ws` echo
// between two processes. It describes the machine; ratios are taken against what was measured beside each load.

import { loadavg } from "node:os";
import { diskMegabytesPerSecond, RawFile, SMALL_APPEND_BYTES } from "./disk.js";
import { Echo } from "./echo.js";
import { type LatencySummary, round, summarise } from "./statistics.js";
import { closedLoop, Samples } from "./worker/closed-loop.js";

const ECHO_WIDTH = 1_000;

export interface Baseline {
  /** Of one minute, before the measurement: on a quiet machine near zero. */
  readonly loadAverage: number;
  /** 1 MiB writes, each followed by `fdatasync`: 10^6 bytes a second. */
  readonly diskMegabytesPerSecond: number;
  /** Time of a 1 KiB write and `fdatasync`. */
  readonly syncMs: LatencySummary;
  /** Round trips of 100 B, one at a time. */
  readonly echoMs: LatencySummary;
  readonly echoPerSecond: number;
  /** With 1,000 on their way. */
  readonly echoPipelinedPerSecond: number;
}

async function echoes(
  seconds: number,
): Promise<Pick<Baseline, "echoMs" | "echoPerSecond" | "echoPipelinedPerSecond">> {
  using echo = await Echo.start();
  const roundTrip = (): Promise<void> => echo.roundTrip();
  await closedLoop(roundTrip, { width: 1, seconds: seconds / 2 });
  const samples = new Samples();
  const single = await closedLoop(roundTrip, { width: 1, seconds, samples });
  const many = await closedLoop(roundTrip, { width: ECHO_WIDTH, seconds });
  return {
    echoMs: summarise(samples.values) as LatencySummary,
    echoPerSecond: Math.round(single / seconds),
    echoPipelinedPerSecond: Math.round(many / seconds),
  };
}

export async function measureBaseline(directory: string, seconds: number): Promise<Baseline> {
  const [loadAverage = 0] = loadavg();
  const disk = diskMegabytesPerSecond(directory, seconds);
  const syncs = new Samples();
  {
    using file = new RawFile(directory, SMALL_APPEND_BYTES);
    file.backToBack(syncs, seconds);
  }
  return {
    loadAverage: round(loadAverage, 2),
    diskMegabytesPerSecond: disk,
    syncMs: summarise(syncs.values) as LatencySummary,
    ...(await echoes(seconds)),
  };
}
