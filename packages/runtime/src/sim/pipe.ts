// One direction of a connection: what waits in the sender's process, what is on the way, what waits at the
// receiver. In order, without loss or duplicates, as TCP; it may stand still, or end.

import type { EventOwner, SimEvent } from "./event-queue.js";
import type { Topology } from "./topology.js";
import { countFault, type World } from "./world.js";

/** What travels. The first of a pipe answers the dial. */
export type Segment =
  | { readonly kind: "accepted" }
  | { readonly kind: "rejected"; readonly status: number; readonly reason: string }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** The kernel's word that the peer is gone. */
  | { readonly kind: "reset" };

interface OutgoingMessage {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  readonly onLeft: (() => void) | undefined;
}

type Outgoing =
  | ({ readonly kind: "message" } & OutgoingMessage)
  | { readonly kind: "segment"; readonly segment: Segment };

export interface PipeEnds {
  readonly fromMachine: string;
  readonly toMachine: string;
  /** Whose memory the unsent bytes are in: nothing leaves while it is paused. */
  readonly sender: EventOwner;
  receiver(): EventOwner | undefined;
  /** Called per segment, in the receiver's own event. */
  onArrival(segment: Segment): void;
  /** Bytes left; in the sender's event. */
  onLeft(): void;
  /** The fault model broke the connection. */
  onMishap(): void;
}

/** What both kernels hold of one direction before the sender has to wait. */
const windowBytes = 256 * 1024;
/** The next turn of the sender's loop hands the bytes to the kernel. */
const leaveDelayMs = 0.01;

export class Pipe {
  readonly #world: World;
  readonly #topology: Topology;
  readonly #ends: PipeEnds;
  readonly #outgoing: Outgoing[] = [];
  readonly #travelling: Segment[] = [];
  #bufferedBytes = 0;
  #windowUsed = 0;
  #unacknowledged = 0;
  #stalledCount = 0;
  #lastArrivalAt = 0;
  #leaving: SimEvent | undefined;
  #isBlackHole = false;
  /** The sender's machine is off: only its return ends this. */
  #isSilenced = false;
  #isCut = false;

  constructor(world: World, topology: Topology, ends: PipeEnds) {
    this.#world = world;
    this.#topology = topology;
    this.#ends = ends;
  }

  /** Bytes that have not left the sender's process. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** The chunks are copied when they leave, not now: then, or when they never will, `onLeft` is called. */
  send(chunks: readonly Uint8Array[], onLeft?: () => void): void {
    let size = 0;
    for (const chunk of chunks) {
      size += chunk.length;
    }
    this.#bufferedBytes += size;
    this.#outgoing.push({ kind: "message", chunks: [...chunks], size, onLeft });
    this.#pump();
  }

  /** Goes after all that was sent before. */
  push(segment: Segment): void {
    this.#outgoing.push({ kind: "segment", segment });
    this.#pump();
  }

  /**
   * The sender is gone: what has not left never will; what is on the way still arrives, or (`losesTravelling`)
   * does not. The receiver then hears of a reset; with `isSilent` it hears nothing.
   */
  cut(options: { losesTravelling: boolean; isSilent: boolean }): void {
    if (this.#isCut) {
      return;
    }
    this.#isCut = true;
    const unsent = this.#outgoing.splice(0);
    this.#bufferedBytes = 0;
    if (options.losesTravelling) {
      for (const [index, segment] of this.#travelling.entries()) {
        this.#travelling[index] = segment.kind === "message" ? { kind: "reset" } : segment;
      }
    }
    if (options.isSilent) {
      this.#isSilenced = true;
    } else {
      this.#travel({ kind: "reset" });
    }
    for (const message of unsent) {
      if (message.kind === "message") {
        message.onLeft?.();
      }
    }
  }

  /** The machine of a silent end is back: its kernel knows nothing of this connection. */
  resetAfterSilence(): void {
    this.#isSilenced = false;
    this.#travel({ kind: "reset" });
    this.retry();
  }

  /** Nothing passes until `retry` after `heal`. */
  swallow(): void {
    this.#isBlackHole = true;
  }

  heal(): void {
    this.#isBlackHole = false;
    this.retry();
  }

  /** The way may be free again: what stood still is sent again. */
  retry(): void {
    const count = this.#stalledCount;
    this.#stalledCount = 0;
    const at = this.#world.scheduler.nowMs + this.#topology.drawRetransmitMs();
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, at);
    for (let index = 0; index < count; index++) {
      this.#scheduleArrival(this.#lastArrivalAt, 0);
    }
    this.#acknowledge(0);
  }

  /** The receiving process took so many bytes out of its kernel: room for more. */
  consume(bytes: number): void {
    this.#acknowledge(bytes);
  }

  #acknowledge(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#topology.isBlocked(this.#ends.toMachine, this.#ends.fromMachine)) {
      return;
    }
    this.#windowUsed -= this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#pump();
  }

  #pump(): void {
    const next = this.#outgoing[0];
    const isFull = this.#windowUsed >= windowBytes;
    if (next === undefined || isFull || this.#leaving !== undefined || this.#isCut) {
      return;
    }
    const size = next.kind === "message" ? next.size : 0;
    const rate = this.#topology.bytesPerMs(this.#ends.fromMachine, this.#ends.toMachine);
    this.#leaving = this.#world.scheduler.schedule({
      delayMs: leaveDelayMs + size / rate,
      kind: "net.send",
      label: this.#ends.toMachine,
      amount: size,
      owner: this.#ends.sender,
      run: () => this.#leave(Number.isFinite(rate)),
    });
  }

  #leave(isSlow: boolean): void {
    this.#leaving = undefined;
    while (this.#windowUsed < windowBytes) {
      const next = this.#outgoing.shift();
      if (next === undefined) {
        break;
      }
      if (next.kind === "message") {
        this.#leaveMessage(next);
      } else {
        this.#travel(next.segment);
      }
      if (isSlow) {
        break;
      }
    }
    this.#pump();
    this.#ends.onLeft();
  }

  #leaveMessage({ chunks, size, onLeft }: OutgoingMessage): void {
    this.#bufferedBytes -= size;
    this.#windowUsed += size;
    const bytes = new Uint8Array(size);
    let position = 0;
    for (const chunk of chunks) {
      // A chunk that was cut short meanwhile (its buffer detached) leaves zeros: a bug of the sender shows.
      bytes.set(chunk, position);
      position += chunk.length;
    }
    onLeft?.();
    this.#world.trace.bytes(bytes);
    const { resetRate, blackHoleRate } = this.#world.faults.network;
    if (this.#topology.prng.chance(resetRate)) {
      countFault(this.#world, "net.reset");
      this.#ends.onMishap();
      return;
    }
    if (this.#topology.prng.chance(blackHoleRate)) {
      countFault(this.#world, "net.blackHole");
      this.#isBlackHole = true;
    }
    this.#travel({ kind: "message", bytes });
  }

  #travel(segment: Segment): void {
    this.#travelling.push(segment);
    const { fromMachine, toMachine } = this.#ends;
    const latencyMs = this.#topology.drawLatencyMs(fromMachine, toMachine);
    const at = this.#world.scheduler.nowMs + latencyMs;
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, at);
    this.#scheduleArrival(
      this.#lastArrivalAt,
      segment.kind === "message" ? segment.bytes.length : 0,
    );
  }

  #scheduleArrival(at: number, amount: number): void {
    this.#world.scheduler.schedule({
      delayMs: at - this.#world.scheduler.nowMs,
      kind: "net.receive",
      label: this.#ends.fromMachine,
      amount,
      owner: this.#ends.receiver(),
      run: () => {
        const { fromMachine, toMachine } = this.#ends;
        const isStalled = this.#isBlackHole || this.#isSilenced;
        if (isStalled || this.#topology.isBlocked(fromMachine, toMachine)) {
          this.#stalledCount++;
          return;
        }
        const segment = this.#travelling.shift();
        if (segment !== undefined) {
          this.#ends.onArrival(segment);
        }
      },
    });
  }
}
