// What a broker did before it died, seen from outside: cleanings and verified bytes by `GET /health`, commits of the
// journal by the files it left. And a clock under which the background verification does not wait for a minute.

import { join } from "node:path";
import type { Health } from "@millrace/broker";
import { createNodeRuntime } from "@millrace/runtime/node";
import { dumpCommitJournal } from "@millrace/storage";
import { pauseMs } from "./load.js";

const ANSWER_TIMEOUT_MS = 30_000;
const POLL_MS = 10;

export async function healthOf(port: number): Promise<Health> {
  const response = await fetch(`http://127.0.0.1:${port}/health`, {
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  return (await response.json()) as Health;
}

/** @throws when the log cleaner has not ended a pass since the broker's start within half a minute */
export async function whenCleaned(port: number): Promise<void> {
  const deadlineMs = performance.now() + ANSWER_TIMEOUT_MS;
  while ((await healthOf(port)).cleaner.passes === 0) {
    if (performance.now() > deadlineMs) {
      throw new Error("the log cleaner has cleaned nothing: these rounds would show nothing");
    }
    await pauseMs(POLL_MS);
  }
}

export interface JournalContent {
  /** Each written and synced as a whole. */
  readonly commits: number;
  /** Rounds of single logs in them. */
  readonly rounds: number;
}

/** What the commit journal of a data directory without a broker holds. */
export async function journalContent(directory: string): Promise<JournalContent> {
  const { compute, fileSystem } = createNodeRuntime();
  let commits = 0;
  let rounds = 0;
  for (const name of ["commit-journal-0", "commit-journal-1"]) {
    const journal = await dumpCommitJournal(fileSystem, join(directory, name), compute);
    for (const { entries } of journal?.frames ?? []) {
      commits += entries.length > 0 ? 1 : 0;
      rounds += entries.length;
    }
  }
  return { commits, rounds };
}

/** The delays of the background verification: before it begins, and between passes (or nearly so much). */
const SCRUB_START_MS = 60_000;
const SCRUB_REST_MS = 3_000_000;

/** Preloaded by a broker, makes it verify sealed segments all the time. */
export function hurriedScrubbing(): Record<string, string> {
  const script = `
    const start = globalThis.setTimeout;
    globalThis.setTimeout = (callback, delayMs, ...rest) => {
      const isScrub = delayMs === ${SCRUB_START_MS} || delayMs > ${SCRUB_REST_MS};
      return start(callback, isScrub ? 10 : delayMs, ...rest);
    };`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(script)}` };
}
