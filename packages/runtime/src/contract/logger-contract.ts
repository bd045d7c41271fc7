// What every logger and every diagnostics facility promises: above all, never to disturb the caller.

import type { Diagnostics } from "../diagnostics.js";
import type { Logger, LogLevel } from "../logger.js";
import { type ContractHarness, caseRunner, type TestFramework } from "./harness.js";

export interface LoggerSubject {
  readonly logger: Logger;
  /** The lines written so far, when the harness can see them (with every level enabled). */
  lines?(): readonly string[];
}

const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal"];

export function loggerContract(
  framework: TestFramework,
  harness: ContractHarness<LoggerSubject>,
): void {
  const { describe, expect } = framework;
  const test = caseRunner(framework, harness);

  describe("a logger", () => {
    test("writes one line per call, with message and fields, at every level", (subject) => {
      for (const level of levels) {
        subject.logger[level]({ partition: 7, topic: "orders" }, `hello from ${level}`);
      }
      const lines = subject.lines?.();
      if (lines !== undefined) {
        expect(lines.length).toBe(levels.length);
        for (const [index, level] of levels.entries()) {
          expect(lines[index]).toContain(`hello from ${level}`);
          expect(lines[index]).toContain("orders");
          expect(lines[index]).toContain("7");
        }
      }
    });

    test("gives its children the fields of all their parents", (subject) => {
      const child = subject.logger.child({ first: "alpha" }).child({ second: "beta" });
      child.info({ third: "gamma" }, "from the child");
      subject.logger.info({}, "from the parent");
      const lines = subject.lines?.();
      if (lines !== undefined) {
        for (const word of ["alpha", "beta", "gamma"]) {
          expect(lines[0]).toContain(word);
          expect(lines[1]).not.toContain(word);
        }
      }
    });

    test("keeps a line a line, whatever the text holds", (subject) => {
      subject.logger.warn({ name: "a\nb\r\u001b[31m" }, "two\nlines");
      const lines = subject.lines?.();
      if (lines !== undefined) {
        expect(lines.length).toBe(1);
        const codes = Array.from((lines[0] ?? "").trimEnd(), (text) => text.codePointAt(0) ?? 0);
        expect(codes.every((code) => code >= 32)).toBe(true);
      }
    });

    test("never throws, not even on fields that cannot be written", (subject) => {
      const cycle: Record<string, unknown> = { big: 2n ** 70n, symbol: Symbol("s") };
      cycle["self"] = cycle;
      const hostile = {
        toJSON(): never {
          throw new Error("no");
        },
      };
      subject.logger.error({ cycle, hostile, error: new Error("cause") }, "still logged");
      const lines = subject.lines?.();
      if (lines !== undefined) {
        expect(lines[0]).toContain("still logged");
      }
    });
  });
}

export interface DiagnosticsSubject {
  readonly diagnostics: Diagnostics;
  /** Subscribes as a tool would; returns the way to unsubscribe. Absent where nobody can listen. */
  subscribe?(name: string, listener: (message: unknown) => void): () => void;
}

export function diagnosticsContract(
  framework: TestFramework,
  harness: ContractHarness<DiagnosticsSubject>,
): void {
  const { describe, expect } = framework;
  const test = caseRunner(framework, harness);

  describe("a diagnostics facility", () => {
    test("gives the same channel for the same name", ({ diagnostics }) => {
      const first = diagnostics.channel("millrace:contract:same");
      expect(diagnostics.channel("millrace:contract:same") === first).toBe(true);
    });

    test("has no subscribers, and publishing harms nobody", ({ diagnostics }) => {
      const channel = diagnostics.channel("millrace:contract:nobody");
      expect(channel.hasSubscribers).toBe(false);
      channel.publish({ batch: 1 });
    });

    test("delivers to a subscriber until it leaves", ({ diagnostics, subscribe }) => {
      const channel = diagnostics.channel("millrace:contract:somebody");
      const seen: unknown[] = [];
      const unsubscribe = subscribe?.("millrace:contract:somebody", (message) => {
        seen.push(message);
      });
      channel.publish({ batch: 1 });
      expect(channel.hasSubscribers).toBe(subscribe !== undefined);
      unsubscribe?.();
      channel.publish({ batch: 2 });
      expect(seen).toEqual(subscribe === undefined ? [] : [{ batch: 1 }]);
    });
  });
}
