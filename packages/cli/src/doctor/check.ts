// A step of `millrace doctor`: what was tried, what came of it, what to do next. Pure.

export type Verdict = "ok" | "warning" | "failed" | "skipped";

export interface Check {
  /** One or two words: "dns", "tcp". Stable: programs read it. */
  readonly step: string;
  readonly verdict: Verdict;
  /** What was found, in a sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly next?: string | undefined;
  readonly ms?: number | undefined;
}

/** What stops the examination: later steps cannot succeed. */
export class Unhealthy extends Error {
  override readonly name = "Unhealthy";
  readonly next: string;

  constructor(message: string, next: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.next = next;
  }
}

/** Runs steps one after the other, until one fails. */
export class Examination {
  readonly checks: Check[] = [];
  readonly #onCheck: (check: Check) => void;
  #hasFailed = false;

  constructor(onCheck: (check: Check) => void) {
    this.#onCheck = onCheck;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** @returns what the step found; undefined when it or one before it failed */
  async step<Found>(
    name: string,
    work: () => Promise<{
      readonly message: string;
      readonly found: Found;
      readonly warning?: string;
    }>,
  ): Promise<Found | undefined> {
    if (this.#hasFailed) {
      this.add({ step: name, verdict: "skipped", message: "not tried" });
      return undefined;
    }
    const startedMs = performance.now();
    const elapsed = (): number => Math.round((performance.now() - startedMs) * 10) / 10;
    try {
      const { found, message, warning } = await work();
      const verdict = warning === undefined ? "ok" : "warning";
      this.add({ step: name, verdict, message, next: warning, ms: elapsed() });
      return found;
    } catch (error) {
      if (!(error instanceof Unhealthy)) {
        throw error;
      }
      this.#hasFailed = true;
      const { message, next } = error;
      this.add({ step: name, verdict: "failed", message, next, ms: elapsed() });
      return undefined;
    }
  }

  add(check: Check): void {
    this.checks.push(check);
    this.#onCheck(check);
  }
}
