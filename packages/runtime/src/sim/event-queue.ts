// The future: events ordered by virtual time, ties by the order in which they were scheduled. A binary heap
// with lazy cancellation. It runs nothing.

/** What an event belongs to: a process of a node. Dead owners' events are dropped, paused owners' are held. */
export interface EventOwner {
  /** For the trace. */
  readonly name: string;
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** Keeps the event until the owner goes on. Called only while paused. */
  hold(event: SimEvent): void;
}

/** After a pause a process handles what has piled up in this order, as Node does: timers, I/O, deferred. */
export type EventPhase = "timer" | "io" | "deferred";

export interface EventInput {
  /** Virtual milliseconds from now; rounded up to the clock's grain. */
  readonly delayMs: number;
  /** What happens, for the trace: "timer", "disk.sync", "net.message". */
  readonly kind: string;
  readonly run: () => void;
  readonly owner?: EventOwner | undefined;
  readonly phase?: EventPhase;
  /** What it happens to, for the trace: a path, a peer. */
  readonly label?: string;
  /** How much, for the trace: bytes. */
  readonly amount?: number;
  /** Does not keep a simulation going: with only such events left it is stuck. */
  readonly isBackground?: boolean;
}

export interface SimEvent {
  at: number;
  sequence: number;
  readonly kind: string;
  readonly owner: EventOwner | undefined;
  readonly phase: EventPhase;
  readonly label: string;
  readonly amount: number;
  readonly isBackground: boolean;
  run: () => void;
  state: "queued" | "done" | "cancelled";
}

const nothing = (): void => {};
const isBefore = (a: SimEvent, b: SimEvent): boolean =>
  a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

export class EventQueue {
  #heap: SimEvent[] = [];
  #sequence = 0;
  #cancelledCount = 0;
  #foregroundCount = 0;

  /** True when nothing is queued that could move the simulation on. */
  get isIdle(): boolean {
    return this.#foregroundCount === 0;
  }

  /** When the next event is due at the earliest; Infinity when there is none. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, input: EventInput): SimEvent {
    const event: SimEvent = {
      at,
      sequence: this.#sequence++,
      kind: input.kind,
      owner: input.owner,
      phase: input.phase ?? "io",
      label: input.label ?? "",
      amount: input.amount ?? 0,
      isBackground: input.isBackground ?? false,
      run: input.run,
      state: "queued",
    };
    this.#push(event);
    return event;
  }

  /** Queues an event again that was taken out and held. */
  addAgain(event: SimEvent, at: number): void {
    if (event.state === "cancelled") {
      return;
    }
    event.at = at;
    event.sequence = this.#sequence++;
    event.state = "queued";
    this.#push(event);
  }

  /** Takes the next event out; undefined when the queue is empty. Cancelled ones are skipped. */
  take(): SimEvent | undefined {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) {
        return undefined;
      }
      if (event.state === "cancelled") {
        this.#cancelledCount--;
        continue;
      }
      event.state = "done";
      if (!event.isBackground) {
        this.#foregroundCount--;
      }
      return event;
    }
  }

  /** Idempotent; does nothing to an event that has run. Also cancels one that is held by a paused owner. */
  cancel(event: SimEvent): void {
    const wasQueued = event.state === "queued";
    event.state = "cancelled";
    event.run = nothing;
    if (!wasQueued) {
      return;
    }
    this.#cancelledCount++;
    if (!event.isBackground) {
      this.#foregroundCount--;
    }
    if (this.#cancelledCount > 1024 && this.#cancelledCount * 2 > this.#heap.length) {
      this.#compact();
    }
  }

  #push(event: SimEvent): void {
    if (!event.isBackground) {
      this.#foregroundCount++;
    }
    this.#heap.push(event);
    this.#siftUp(this.#heap.length - 1);
  }

  #pop(): SimEvent | undefined {
    const top = this.#heap[0];
    const last = this.#heap.pop();
    if (top === undefined || last === undefined) {
      return undefined;
    }
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#siftDown(0);
    }
    return top;
  }

  #siftUp(start: number): void {
    const heap = this.#heap;
    const event = heap[start];
    if (event === undefined) {
      return;
    }
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || isBefore(parent, event)) {
        break;
      }
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #siftDown(start: number): void {
    const heap = this.#heap;
    const event = heap[start];
    if (event === undefined) {
      return;
    }
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (child === undefined || isBefore(event, child)) {
        break;
      }
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = event;
  }

  #compact(): void {
    this.#heap = this.#heap.filter((event) => event.state !== "cancelled");
    this.#cancelledCount = 0;
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) {
      this.#siftDown(index);
    }
  }
}
