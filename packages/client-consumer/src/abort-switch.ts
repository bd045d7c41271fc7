// A signal that this package can give itself: `AbortController` is a platform's, and pure packages have none.

import type { AbortSignalLike } from "@millrace/runtime";

export class AbortSwitch implements AbortSignalLike {
  readonly #listeners = new Set<() => void>();
  aborted = false;
  reason: unknown;

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(reason: unknown): void {
    if (this.aborted) {
      return;
    }
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) {
      listener();
    }
    this.#listeners.clear();
  }
}
