// One file of a simulated disk: what reads see (the page cache), what is on the platter, and the writes that
// are in the first but not yet in the second. Decides what a power loss leaves. Knows no names and no time.

import { PagedBytes } from "./paged-bytes.js";
import type { Prng } from "./prng.js";

interface PendingWrite {
  readonly kind: "write";
  readonly sequence: number;
  readonly position: number;
  readonly bytes: Uint8Array;
}

interface PendingTruncate {
  readonly kind: "truncate";
  readonly sequence: number;
  readonly size: number;
}

type PendingOperation = PendingWrite | PendingTruncate;

/** The least that a disk writes: what is written of a sector takes the rest of it along. */
const sectorBytesMin = 512;

/** Beyond so many unsynced bytes the kernel writes the oldest back by itself. */
const writebackBytes = 64 * 1024 * 1024;

/**
 * What a power loss may leave of the unsynced operations of one file.
 * - `nothing`, `everything`: none, or all of them.
 * - `prefix`: those up to a random one, which is torn at a sector boundary.
 * - `sectors`: each sector on its own is on the platter as it was after some number of the operations, in any
 *   order. The size is that of the last sector kept, or the full size with zeros where a sector is missing.
 */
export type PowerLossModel = "nothing" | "everything" | "prefix" | "sectors";

export const powerLossModels: readonly [PowerLossModel, ...PowerLossModel[]] = [
  "nothing",
  "everything",
  "prefix",
  "sectors",
];

/** What a power loss did to one file's unsynced operations; to be counted. */
export type PowerLossDamage = "lostWrite" | "tornWrite" | "reorderedWrites" | "lostTruncate";

export interface PowerLossOptions {
  readonly model: PowerLossModel;
  readonly sectorBytes: number;
  readonly onDamage?: ((damage: PowerLossDamage) => void) | undefined;
}

export class FileInode {
  readonly kind = "file";
  cached = new PagedBytes();
  durable = new PagedBytes();
  modifiedMs: number;
  /** Open handles; a removed file lives on while there are some. */
  openCount = 0;
  /** Directory entries: 0 or 1. */
  linkCount = 0;
  #pending: PendingOperation[] = [];
  #pendingBytes = 0;
  #sequence = 0;

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }

  /** Whether everything is on the platter. */
  get isClean(): boolean {
    return this.#pending.length === 0;
  }

  /** Into the page cache. Takes a copy. */
  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) {
      return;
    }
    this.cached.write(position, bytes);
    const sectors = this.#cachedSectors(position, position + bytes.length);
    this.#pending.push({ kind: "write", sequence: this.#sequence++, ...sectors });
    this.#pendingBytes += sectors.bytes.length;
    while (this.#pendingBytes > writebackBytes) {
      this.#apply(this.#pending.shift());
    }
  }

  truncate(size: number): void {
    this.cached.resize(size);
    this.#pending.push({ kind: "truncate", sequence: this.#sequence++, size });
  }

  /** What a sync that starts now covers; give it to `completeSync` or `failSync`. */
  beginSync(): number {
    return this.#sequence;
  }

  completeSync(mark: number): void {
    let operation = this.#pending[0];
    let count = 0;
    while (operation !== undefined && operation.sequence < mark) {
      this.#apply(operation);
      count++;
      operation = this.#pending[count];
    }
    this.#pending.splice(0, count);
  }

  /**
   * The sync failed: some of what it covered reached the platter. All of it counts as clean from now on, and reads show
   * it until the machine goes down (fsync-gate); the rest reaches the platter only where its sector is written again.
   */
  failSync(mark: number, prng: Prng): void {
    const covered = this.#pending.filter((operation) => operation.sequence < mark);
    this.#pending = this.#pending.filter((operation) => operation.sequence >= mark);
    const reached = covered.length === 0 ? 0 : prng.below(covered.length);
    for (const [index, operation] of covered.entries()) {
      if (index < reached) {
        this.#apply(operation);
      } else if (operation.kind === "write") {
        this.#pendingBytes -= operation.bytes.length;
      }
    }
  }

  /** The machine went down and is up again: what reads show now is what the platter kept. */
  losePower(prng: Prng, options: PowerLossOptions): void {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const fullSize = this.cached.size;
    switch (options.model) {
      case "nothing":
        tellLost(pending, options);
        break;
      case "everything":
        for (const operation of pending) {
          applyTo(this.durable, operation);
        }
        break;
      case "prefix":
        this.#keepPrefix(pending, prng, options);
        break;
      case "sectors":
        this.#keepSectors(pending, prng, options);
        // The size may be journalled although the data behind it was lost: zeros.
        if (pending.length > 0 && this.durable.size < fullSize && prng.chance(0.3)) {
          this.durable.resize(fullSize);
        }
        break;
    }
    this.cached = this.durable.clone();
  }

  /**
   * Changes cache and platter alike: damage that no program did. What was unsynced in the file is written back
   * first, or a later sync would undo the damage.
   */
  damage(position: number, bytes: Uint8Array): void {
    this.completeSync(this.beginSync());
    this.cached.write(position, bytes);
    this.durable.write(position, bytes);
  }

  /** The whole content becomes `bytes`, in the cache and on the platter alike. */
  replaceContent(bytes: Uint8Array): void {
    this.truncate(0);
    this.write(0, bytes);
    this.completeSync(this.beginSync());
  }

  /** A file with what reads show here, all of it durable. */
  cloneClean(): FileInode {
    const copy = new FileInode(this.modifiedMs);
    copy.cached = this.cached.clone();
    copy.durable = this.cached.clone();
    copy.linkCount = this.linkCount;
    return copy;
  }

  /** What the page cache holds of the sectors that hold these bytes: a copy. */
  #cachedSectors(from: number, to: number): Pick<PendingWrite, "position" | "bytes"> {
    const position = Math.floor(from / sectorBytesMin) * sectorBytesMin;
    const end = Math.min(this.cached.size, Math.ceil(to / sectorBytesMin) * sectorBytesMin);
    const bytes = new Uint8Array(end - position);
    this.cached.read(bytes, position);
    return { position, bytes };
  }

  #apply(operation: PendingOperation | undefined): void {
    if (operation !== undefined) {
      applyTo(this.durable, operation);
      this.#pendingBytes -= operation.kind === "write" ? operation.bytes.length : 0;
    }
  }

  #keepPrefix(pending: readonly PendingOperation[], prng: Prng, options: PowerLossOptions): void {
    const { sectorBytes } = options;
    const keptCount = prng.below(pending.length + 1);
    for (const operation of pending.slice(0, keptCount)) {
      applyTo(this.durable, operation);
    }
    const torn = pending[keptCount];
    if (torn?.kind === "write") {
      const end = torn.position + torn.bytes.length;
      const cut = torn.position + prng.below(torn.bytes.length + 1);
      const keptEnd = Math.min(end, Math.floor(cut / sectorBytes) * sectorBytes);
      if (keptEnd > torn.position) {
        this.durable.write(torn.position, torn.bytes.subarray(0, keptEnd - torn.position));
        if (keptEnd < end) {
          options.onDamage?.("tornWrite");
        }
      }
    }
    tellLost(pending.slice(keptCount), options);
  }

  #keepSectors(pending: readonly PendingOperation[], prng: Prng, options: PowerLossOptions): void {
    const { sectorBytes } = options;
    // Metadata is journalled in order: a truncation that is lost takes everything after it along.
    const journalCount = prng.below(pending.length + 1);
    const lostTruncate = pending.findIndex(
      (operation, index) => operation.kind === "truncate" && index >= journalCount,
    );
    const reachable = lostTruncate === -1 ? pending : pending.slice(0, lostTruncate);
    tellLost(lostTruncate === -1 ? [] : pending.slice(lostTruncate), options);
    const versions = new Map<number, number>();
    let hasLost = false;
    let isReordered = false;
    for (const [index, operation] of reachable.entries()) {
      if (operation.kind === "truncate") {
        applyTo(this.durable, operation);
        continue;
      }
      const end = operation.position + operation.bytes.length;
      let keptBytes = 0;
      for (let at = operation.position; at < end; ) {
        const sector = Math.floor(at / sectorBytes);
        const pieceEnd = Math.min(end, (sector + 1) * sectorBytes);
        const version = versions.get(sector) ?? prng.below(reachable.length + 1);
        versions.set(sector, version);
        if (index < version) {
          const from = at - operation.position;
          this.durable.write(at, operation.bytes.subarray(from, pieceEnd - operation.position));
          keptBytes += pieceEnd - at;
          isReordered ||= hasLost;
        }
        at = pieceEnd;
      }
      hasLost ||= keptBytes === 0;
      if (keptBytes < operation.bytes.length) {
        options.onDamage?.(keptBytes === 0 ? "lostWrite" : "tornWrite");
      }
    }
    if (isReordered) {
      options.onDamage?.("reorderedWrites");
    }
  }
}

function tellLost(lost: readonly PendingOperation[], { onDamage }: PowerLossOptions): void {
  for (const { kind } of lost) {
    onDamage?.(kind === "write" ? "lostWrite" : "lostTruncate");
  }
}

function applyTo(bytes: PagedBytes, operation: PendingOperation): void {
  if (operation.kind === "write") {
    bytes.write(operation.position, operation.bytes);
  } else {
    bytes.resize(operation.size);
  }
}
