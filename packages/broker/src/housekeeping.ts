// What a broker does from time to time: retention, closing idle connections, another try for logs that could
// not be created. One timer each; a round that is still running is not started again.

import type { Clock, Logger, Timer } from "@millrace/runtime";

export interface HousekeepingTask {
  readonly name: string;
  readonly intervalMs: number;
  run(): unknown;
}

export class Housekeeping {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly timers = new Map<HousekeepingTask, Timer>();
  private readonly running = new Set<Promise<void>>();
  private isStopped = false;

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  start(task: HousekeepingTask): void {
    if (this.isStopped) {
      return;
    }
    const timer = this.clock.setTimer(task.intervalMs, () => {
      const round = this.runOnce(task).finally(() => {
        this.running.delete(round);
        this.start(task);
      });
      this.running.add(round);
    });
    this.timers.set(task, timer);
  }

  /** Starts no further round and waits for those under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const timer of this.timers.values()) {
      timer.cancel();
    }
    await Promise.all(this.running);
  }

  private async runOnce(task: HousekeepingTask): Promise<void> {
    try {
      await task.run();
    } catch (error) {
      this.logger.error({ task: task.name, error }, "housekeeping failed; it is tried again");
    }
  }
}
