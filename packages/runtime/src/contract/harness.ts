// What every contract suite is given: a test framework (vitest's functions fit, but nothing here depends on
// them), a way to make a fresh subject, and a way to let time pass. Suites never assume real time: the
// simulated world drives each case in virtual time through `drive`.

import type { AbortSignalLike } from "../platform.js";

export interface Matchers {
  readonly not: Matchers;
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toBeGreaterThan(expected: number): void;
  toBeGreaterThanOrEqual(expected: number): void;
  toBeLessThan(expected: number): void;
  toBeLessThanOrEqual(expected: number): void;
  toContain(expected: string): void;
}

/** The part of vitest (or Jest) that the suites use. */
export interface TestFramework {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  expect(actual: unknown, message?: string): Matchers;
}

export interface ContractHarness<Subject> {
  /** A fresh subject for one case. */
  create(): Subject | Promise<Subject>;
  /** Releases what `create` took. Called once per subject, also after a failed case. */
  dispose?(subject: Subject): void | Promise<void>;
  /**
   * Lets the world run until `work` settles, and returns its outcome. Real time needs none (the default
   * awaits); virtual time advances its clock here.
   */
  drive?<Result>(work: Promise<Result>): Promise<Result>;
}

export type Case<Subject> = (subject: Subject) => void | Promise<void>;

/** Registers one case: create, run, dispose, all inside `drive`. */
export function caseRunner<Subject>(
  framework: TestFramework,
  harness: ContractHarness<Subject>,
): (claim: string, body: Case<Subject>) => void {
  const run = async (body: Case<Subject>): Promise<void> => {
    const subject = await harness.create();
    try {
      await body(subject);
    } finally {
      await harness.dispose?.(subject);
    }
  };
  return (claim, body) => {
    framework.it(claim, () => {
      const work = run(body);
      return harness.drive === undefined ? work : harness.drive(work);
    });
  };
}

/** The error that `work` rejects with; fails when it does not reject. */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    () => ({ rejected: false as const }),
    (error: unknown) => ({ rejected: true as const, error }),
  );
  if (!outcome.rejected) {
    throw new Error("expected a rejection, but the promise was fulfilled");
  }
  return outcome.error;
}

/** The `code` of the error that `work` rejects with. */
export async function rejectionCode(work: Promise<unknown>): Promise<unknown> {
  const error = await rejectionOf(work);
  return error instanceof Error && "code" in error ? error.code : error;
}

/** A promise with its handles outside. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  resolve(value: Value): void;
}

export function deferred<Value>(): Deferred<Value> {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** Bytes that differ from their neighbours and repeat only after a long while, so that a shift is seen. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Whether two byte strings are equal. Much faster than a deep comparison of megabytes. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** An `AbortSignalLike` with its trigger; the platform's own `AbortController` is not needed. */
export interface TestAbort {
  readonly signal: AbortSignalLike;
  abort(reason: unknown): void;
  /** How many listeners are registered now. */
  listenerCount(): number;
}

export function createAbort(): TestAbort {
  const listeners = new Set<() => void>();
  let aborted = false;
  let abortReason: unknown;
  return {
    signal: {
      get aborted() {
        return aborted;
      },
      get reason() {
        return abortReason;
      },
      addEventListener: (_type, listener) => void listeners.add(listener),
      removeEventListener: (_type, listener) => void listeners.delete(listener),
    },
    abort(reason) {
      aborted = true;
      abortReason = reason;
      for (const listener of [...listeners]) {
        listener();
      }
    },
    listenerCount: () => listeners.size,
  };
}
