// What is wrong with a test broker's world at the moment. Only the switches: the network and the file system
// in front of the real ones look at them.

/** Faults that last until they are changed or healed. */
export interface LastingFaults {
  /** Every message to the broker arrives so much later, in order. Milliseconds; 0: at once. */
  readonly delayMs?: number;
  /** New connections are cut as soon as they are made. */
  readonly refuse?: boolean;
  /** Writes fail as on a full disk; reads and what was written stay fine. */
  readonly fullDisk?: boolean;
}

export class Faults {
  delayMs: number;
  refuse: boolean;
  fullDisk: boolean;
  #failsNextSync = false;

  constructor(initial: LastingFaults = {}) {
    this.delayMs = initial.delayMs ?? 0;
    this.refuse = initial.refuse ?? false;
    this.fullDisk = initial.fullDisk ?? false;
  }

  failNextSync(): void {
    this.#failsNextSync = true;
  }

  /** Whether the sync that asks shall fail; true once. */
  takeSyncFailure(): boolean {
    const fails = this.#failsNextSync;
    this.#failsNextSync = false;
    return fails;
  }

  /** The broker that it was meant for is gone. */
  forgetSyncFailure(): void {
    this.#failsNextSync = false;
  }

  heal(): void {
    this.delayMs = 0;
    this.refuse = false;
    this.fullDisk = false;
    this.forgetSyncFailure();
  }
}
