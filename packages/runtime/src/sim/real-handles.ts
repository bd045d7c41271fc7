// Notices when code under simulation creates something real: a timer, a socket, a file request, a thread. Such
// a thing completes when the machine pleases, and one is enough to lose determinism.

import type { DriverHooks } from "./driver.js";

interface AsyncHook {
  enable(): void;
  disable(): void;
}

interface AsyncHooks {
  createHook(callbacks: { init(id: number, type: string): void }): AsyncHook;
}

interface BuiltinModules {
  readonly process: { getBuiltinModule(id: string): unknown };
}

/** What the language and the driver themselves create. */
const harmless: ReadonlySet<string> = new Set(["PROMISE", "TickObject", "Microtask"]);
/** Kinds remembered, for the message. */
const maxRemembered = 10;

/** Something real was created under a simulation. */
export class RealHandleError extends Error {
  override readonly name = "RealHandleError";
}

export class RealHandleGuard {
  /** For the driver: the guard looks only while the simulation runs, not at what the test runner does between. */
  readonly hooks: DriverHooks;
  readonly #seen = new Map<string, number>();
  #isWatching = false;

  constructor() {
    const { process } = globalThis as unknown as BuiltinModules;
    const asyncHooks = process.getBuiltinModule("node:async_hooks") as AsyncHooks;
    const hook = asyncHooks.createHook({
      init: (_id, type) => {
        if (this.#isWatching && !harmless.has(type) && this.#seen.size < maxRemembered) {
          this.#seen.set(type, (this.#seen.get(type) ?? 0) + 1);
        }
      },
    });
    this.hooks = {
      onTurn: () => {
        this.#isWatching = true;
        hook.enable();
      },
      onRest: () => {
        this.#isWatching = false;
        hook.disable();
      },
    };
  }

  /** @throws RealHandleError */
  assertNone(): void {
    if (this.#seen.size > 0) {
      const kinds = [...this.#seen].map(([type, count]) => `${type} (${count})`).join(", ");
      throw new RealHandleError(`real handles were created under the simulation: ${kinds}`);
    }
  }
}
