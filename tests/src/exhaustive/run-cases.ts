// Runs damage cases one after the other, all or a sample, and counts what became of them.

import type { Compute } from "@millrace/runtime";
import { caseCount, caseOf, type DamageKind } from "./damage-cases.js";
import { type Judgement, SegmentJudge, type WrapCrc } from "./segment-judge.js";
import type { SegmentScene } from "./segment-scene.js";

const PROBLEMS_TOLD_MAX = 10;
const CASES_BETWEEN_PROGRESS = 1_000;

export interface RunOptions {
  readonly scene: SegmentScene;
  readonly compute: Compute;
  readonly kind: DamageKind;
  /** The first case; default 0. */
  readonly first?: number;
  /** Every so-manieth case from there; 1: all. */
  readonly stride: number;
  readonly wrapCrc?: WrapCrc | undefined;
  readonly onProgress?: ((result: RunResult) => void) | undefined;
}

export interface RunResult {
  /** Done. */
  readonly cases: number;
  /** To be done. */
  readonly total: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly problemCount: number;
  /** The first few. */
  readonly problems: readonly string[];
}

/** What became of cases. */
export class Tally {
  readonly #total: number;
  readonly #verdicts: Record<string, number> = {};
  readonly #problems: string[] = [];
  #cases = 0;
  #problemCount = 0;

  constructor(total: number) {
    this.#total = total;
  }

  add(name: string, { verdict, problem }: Judgement): void {
    this.#cases++;
    this.#verdicts[verdict] = (this.#verdicts[verdict] ?? 0) + 1;
    if (problem !== undefined) {
      this.#problemCount++;
      if (this.#problems.length < PROBLEMS_TOLD_MAX) {
        this.#problems.push(`${name}: ${problem} (${verdict})`);
      }
    }
  }

  get cases(): number {
    return this.#cases;
  }

  get result(): RunResult {
    return {
      cases: this.#cases,
      total: this.#total,
      verdicts: { ...this.#verdicts },
      problemCount: this.#problemCount,
      problems: [...this.#problems],
    };
  }
}

export async function runCases(options: RunOptions): Promise<RunResult> {
  const { scene, compute, kind, first = 0, stride, wrapCrc, onProgress } = options;
  const judge = new SegmentJudge(scene, compute);
  const count = caseCount(kind, scene.bytes.length);
  const tally = new Tally(Math.ceil((count - first) / stride));
  for (let number = first; number < count; number += stride) {
    const one = caseOf(kind, number);
    tally.add(`${kind} at ${one.at}`, await judge.judge(one, wrapCrc));
    if (tally.cases % CASES_BETWEEN_PROGRESS === 0) {
      onProgress?.(tally.result);
    }
  }
  return tally.result;
}

/** Of several shares of the same cases. */
export function mergeResults(results: Iterable<RunResult>): RunResult {
  let merged: RunResult = { cases: 0, total: 0, verdicts: {}, problemCount: 0, problems: [] };
  for (const result of results) {
    const verdicts: Record<string, number> = { ...merged.verdicts };
    for (const [verdict, count] of Object.entries(result.verdicts)) {
      verdicts[verdict] = (verdicts[verdict] ?? 0) + count;
    }
    merged = {
      cases: merged.cases + result.cases,
      total: merged.total + result.total,
      verdicts,
      problemCount: merged.problemCount + result.problemCount,
      problems: [...merged.problems, ...result.problems].slice(0, PROBLEMS_TOLD_MAX),
    };
  }
  return merged;
}
