// One line about one measurement, for the terminal, with what is left of the run. Pure.

import { planSeconds } from "./estimate.js";
import type { DiskPart } from "./job.js";
import { minutes } from "./overview.js";
import type { Session } from "./plan.js";
import type { Measurement, Results } from "./results.js";

const whole = (value: number): string => Math.round(value).toLocaleString("en");

/** The load over the mean of the disk right before and right after it. */
export const partRatio = ({ megabytesPerSecond, diskBefore, diskAfter }: DiskPart): number =>
  megabytesPerSecond / ((diskBefore + diskAfter) / 2);

export function lineOf({ client, durability, workload, answer, failure }: Measurement): string {
  const name = `${client}/${durability}`.padEnd(22);
  const title = workload.padEnd(20);
  if (answer === undefined) {
    return `${name} ${title} FAILED: ${failure?.split("\n").slice(0, 3).join(" | ") ?? ""}`;
  }
  const { produce, consume, endToEndMs, diskParts } = answer;
  const parts: string[] = [];
  if (endToEndMs !== undefined) {
    parts.push(
      `end to end p50 ${endToEndMs.p50.toFixed(2)} ms, p99 ${endToEndMs.p99.toFixed(2)} ms`,
    );
  } else if (produce !== undefined) {
    const perSecond = produce.records / produce.seconds;
    const latency = produce.latencyMs;
    parts.push(`${whole(perSecond).padStart(11)}/s`);
    parts.push(latency === undefined ? "" : `p50 ${latency.p50.toFixed(2)} ms`);
  }
  if (diskParts !== undefined) {
    const ratios = diskParts.map(partRatio).map((ratio) => ratio.toFixed(2));
    parts.push(`to the disk by itself: ${ratios.join(", ")}`);
  }
  if (consume !== undefined) {
    parts.push(`read ${whole(consume.records / consume.seconds)}/s`);
  }
  return `${name} ${title} ${parts.filter((part) => part !== "").join("  ")}`;
}

/** Estimates grow better on the way: what was measured in one round says how long it takes in the next. */
export class Progress {
  readonly #results: Results;
  readonly #left: Map<Session, number>;
  readonly #total: number;
  #done = 0;

  constructor(results: Results, sessions: readonly Session[]) {
    this.#results = results;
    this.#left = new Map(sessions.map((session) => [session, 0]));
    this.#total = sessions.reduce((sum, { steps }) => sum + steps.length, 0);
  }

  get secondsLeft(): number {
    const rest = [...this.#left].map(([session, done]) => ({
      ...session,
      steps: session.steps.slice(done),
    }));
    return planSeconds(this.#results, rest);
  }

  /** Counts one, and says what it was. */
  lineAfter(session: Session, measurement: Measurement): string {
    this.#done++;
    this.#left.set(session, (this.#left.get(session) ?? 0) + 1);
    const count = `${String(this.#done).padStart(4)}/${this.#total}`;
    const left = `${minutes(this.secondsLeft)} left`;
    return `${count}  ${left.padStart(14)}  ${lineOf(measurement)}`;
  }

  ended(session: Session): void {
    this.#left.delete(session);
  }
}
