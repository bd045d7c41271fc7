// The one place in a simulation that touches the platform's event loop. It runs a step, lets the microtask
// queue drain COMPLETELY, and runs the next.
//
// Why the drain is complete: a step always runs from Node's next-tick queue (or from a macrotask), never from
// a microtask. Node empties the next-tick queue, then lets V8 run microtasks until none is left, however long
// the chains that they build, and only then looks at the next-tick queue again. The next step is put there BY
// a microtask, so it cannot run before all of them have. No counting of turns, and about 0.3 us per step.

interface DriverPlatform {
  readonly process: { nextTick(callback: () => void): void };
  setImmediate(callback: () => void): void;
}

const platform = globalThis as unknown as DriverPlatform;
const settled = Promise.resolve();

/** After so many steps the real event loop gets a turn, so that test runners stay responsive. */
const stepsPerTurn = 2048;

export interface DriverHooks {
  /** The simulation is about to run; everything until `onRest` is its doing. */
  onTurn?(): void;
  /** The real event loop gets a turn, or the drive is over. */
  onRest?(): void;
}

/**
 * Calls `step` until it returns false, with a complete microtask drain after each call.
 * Rejects with whatever `step` throws.
 */
export function drive(step: () => boolean, hooks: DriverHooks = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    let stepCount = 0;
    const turn = (): void => {
      try {
        if (step()) {
          void settled.then(afterThis);
          return;
        }
      } catch (error) {
        hooks.onRest?.();
        reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      hooks.onRest?.();
      resolve();
    };
    const firstTurn = (): void => {
      hooks.onTurn?.();
      turn();
    };
    const afterThis = (): void => {
      stepCount++;
      platform.process.nextTick(stepCount % stepsPerTurn === 0 ? rest : turn);
    };
    const rest = (): void => {
      hooks.onRest?.();
      platform.setImmediate(firstTurn);
    };
    platform.setImmediate(firstTurn);
  });
}
