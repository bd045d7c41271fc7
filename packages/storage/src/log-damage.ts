// Damage that was found while a log serves: the log is quarantined, durably, and what is undamaged of the segment is
// looked for, so that all of it can be read as after a restart. Readers and the scrubber report here.

import { type LogParts, logName } from "./log-parts.js";
import { storeQuarantine } from "./quarantine-marker.js";
import type { Segment } from "./segment.js";
import type { SegmentDamage } from "./segment-reader.js";
import { undamagedRuns } from "./torn-tail.js";

export class LogDamage {
  readonly #log: LogParts;
  readonly #mapping = new Map<Segment, Promise<void>>();

  constructor(log: LogParts) {
    this.#log = log;
  }

  /** Resolves when the quarantine is durable; the search for what is undamaged goes on. */
  async found(damage: SegmentDamage): Promise<void> {
    const segment = this.#log.segments.find(({ path }) => path === damage.path);
    if (segment !== undefined && !isKnown(segment, damage.position)) {
      void this.#map(segment);
    }
    await this.#quarantine(damage);
  }

  /** Waits until it is known what can be read of the segment, if that is being looked for. */
  async mapped(segment: Segment): Promise<void> {
    await this.#mapping.get(segment);
    if (segment.mappedBytes !== undefined && segment.mappedBytes < segment.sizeBytes) {
      // What was on its way to the disk when the damage was found has arrived since.
      await this.#map(segment);
    }
  }

  #map(segment: Segment): Promise<void> {
    const running = this.#mapping.get(segment);
    if (running !== undefined) {
      return running;
    }
    const mapping = this.#findRuns(segment)
      .catch((error: unknown) => {
        // Nothing is served unverified: who reads there meets the damage again, and it is looked for again.
        const { logger } = this.#log.runtime;
        logger.error({ path: segment.path, error }, "what is undamaged could not be determined");
      })
      .finally(() => this.#mapping.delete(segment));
    this.#mapping.set(segment, mapping);
    return mapping;
  }

  async #findRuns(segment: Segment): Promise<void> {
    const { epochs, runtime, truncations } = this.#log;
    const { compute } = runtime;
    const { baseOffset, sizeBytes: size } = segment;
    const runs = await segment.reading((file) =>
      undamagedRuns({ file, compute, size, epochs, baseOffset }),
    );
    if (truncations === this.#log.truncations) {
      segment.mapRuns(runs, size);
    }
  }

  /** Durably, so that no start puts the log online again as if nothing had been found. */
  async #quarantine(damage: SegmentDamage): Promise<void> {
    const { directory, runtime, services } = this.#log;
    if (this.#log.damage !== undefined) {
      return;
    }
    this.#log.damage = damage.message;
    runtime.logger.error(
      { log: logName(this.#log.id), path: damage.path, position: damage.position },
      `log quarantined: ${damage.message}`,
    );
    try {
      const { fileSystem } = runtime;
      await services.withReserve(() => storeQuarantine(fileSystem, directory, damage.message));
    } catch (error) {
      runtime.logger.error({ directory, error }, "the quarantine ends with the next start");
    }
  }
}

/** Every batch of a mapped segment was verified: what was left out then is damaged, and no news. */
function isKnown(segment: Segment, position: number): boolean {
  const { runs, mappedBytes = 0 } = segment;
  const isInRun = runs?.some(({ from, to }) => from <= position && position < to) === true;
  return position < mappedBytes && !isInRun;
}
