// Damage that no program did, while the machine is down or under its feet: flipped bits, zeroed sectors, lost and stale
// files. Tells the model what may be missed afterwards; everything else must be there.

import type { Random } from "@millrace/runtime";
import type { SimDisk } from "@millrace/runtime/sim";
import { isEqual } from "./compare.js";
import type { Tally } from "./life.js";
import type { ModelBatch, ModelLog } from "./model-log.js";

const SECTOR_BYTES = 512;
const HINTS_AT_ONCE_MAX = 4;

/** What a start does with these files' damage must change no read. */
const hints: readonly (readonly [string, RegExp])[] = [
  ["index", /\.index$/],
  ["timeindex", /\.timeindex$/],
  ["index-state", /\.index-state$/],
  ["producer-state", /\.producer-state$/],
  ["leader-epoch-checkpoint", /\/leader-epoch-checkpoint$/],
  ["recovery-point", /\/recovery-point-offset-checkpoint$/],
  ["log-start-offset", /\/log-start-offset-checkpoint$/],
  ["cleaner-offset", /\/cleaner-offset-checkpoint$/],
  ["meta", /\/meta\.properties$/],
  ["partition-metadata", /\/partition\.metadata$/],
  ["quarantine", /\/quarantined$/],
];

export interface DamageTools {
  readonly disk: SimDisk;
  readonly random: Random;
  readonly models: ReadonlyMap<string, ModelLog>;
  readonly tally: Tally;
  /** Older contents of index files, by path. */
  readonly stale: Map<string, Uint8Array>;
  /** Hint files that were damaged; one that no start had to read stays so. */
  readonly hit: Set<string>;
  /** The commit journal may be damaged: told when it was. Undefined: it is left alone. */
  readonly onJournal: (() => void) | undefined;
  /** What an operator can put back: files that say whose the data are. */
  readonly originals: Map<string, Uint8Array>;
  readonly note: (text: string) => void;
}

/** One random damage while nothing runs. Returns whether there was something to damage. */
export function damageAtRest(tools: DamageTools): boolean {
  const kind = tools.random.float();
  if (kind < 0.4) {
    return damageSomeBatch(tools);
  }
  if (kind < 0.55 && damageJournal(tools)) {
    return true;
  }
  let isDamaged = false;
  for (let count = 1 + tools.random.below(HINTS_AT_ONCE_MAX); count > 0; count--) {
    isDamaged = damageHint(tools) || isDamaged;
  }
  return isDamaged;
}

function damageHint(tools: DamageTools): boolean {
  const { disk, random, tally } = tools;
  const [kind, pattern] = hints[random.below(hints.length)] ?? ["", /$^/];
  const paths = disk.paths().filter((path) => pattern.test(path) && disk.peek(path).length > 0);
  const path = paths[random.below(Math.max(1, paths.length))];
  if (path === undefined) {
    return false;
  }
  const isIndex = /index/.test(kind);
  const stale = tools.stale.get(path);
  tellModel(tools, kind, path);
  tools.hit.add(path);
  if (isIndex && stale !== undefined && random.float() < 0.4) {
    disk.replaceContent(path, stale);
    tally.count("stale index file");
  } else if (isIndex && random.float() < 0.3) {
    disk.loseFile(path);
    tally.count("deleted index file");
  } else if (random.float() < 0.15) {
    disk.corrupt(path, { position: 0, length: SECTOR_BYTES });
    tally.count(`zeroed sector in ${kind}`);
  } else {
    disk.flipBit(path, random.below(disk.peek(path).length * 8));
    tally.count(`bit flip in ${kind}`);
  }
  tools.note(`damaged ${path}`);
  return true;
}

/** What it holds is in the logs' own files, too, unless the power went. */
function damageJournal({ disk, random, tally, note, onJournal }: DamageTools): boolean {
  const paths = disk
    .paths()
    .filter((path) => /\/commit-journal-[01]$/.test(path) && disk.peek(path).length > 0);
  const path = paths[random.below(Math.max(1, paths.length))];
  if (path === undefined || onJournal === undefined) {
    return false;
  }
  const { length } = disk.peek(path);
  const isZeroed = random.float() < 0.3;
  if (isZeroed) {
    const position = Math.floor(random.below(length) / SECTOR_BYTES) * SECTOR_BYTES;
    disk.corrupt(path, { position, length: SECTOR_BYTES });
  } else {
    disk.flipBit(path, random.below(length * 8));
  }
  tally.count(`${isZeroed ? "zeroed sector" : "bit flip"} in commit journal`);
  note(`damaged ${path}`);
  onJournal();
  return true;
}

/** Some files are no hints: what they say is nowhere else. */
function tellModel(tools: DamageTools, kind: string, path: string): void {
  const { disk, models, originals } = tools;
  if ((kind === "meta" || kind === "partition-metadata") && !originals.has(path)) {
    originals.set(path, disk.peek(path));
  }
  for (const model of models.values()) {
    model.isIdLost ||= kind === "partition-metadata" && path.includes(`/${model.name}/`);
  }
  if (kind === "recovery-point") {
    for (const model of models.values()) {
      forgetUnseenDamage(model, disk);
    }
  }
  if (kind === "log-start-offset") {
    for (const model of models.values()) {
      model.isStartLost = true;
    }
  }
}

/**
 * Without the recovery point, damage of an active segment that no start and no reader has seen yet may look like the rest of
 * an interrupted write; and the end of what is known to be damaged is known no more.
 */
function forgetUnseenDamage(model: ModelLog, disk: SimDisk): void {
  const damaged = model.batches.find((batch) => batch.isDamaged);
  const isLast = damaged !== undefined && damaged === model.batches.at(-1);
  if (damaged !== undefined && (isLast || !isMarked(model, disk))) {
    model.promised = Math.min(model.promised, damaged.baseOffset);
    model.promisedOnKill = Math.min(model.promisedOnKill, damaged.baseOffset);
  }
}

/** Whether somebody has written down that the log is damaged. */
export function isMarked(model: ModelLog, disk: SimDisk): boolean {
  return disk.paths().some((path) => path.endsWith(`/${model.name}/quarantined`));
}

/** Damages one batch that was promised, or of the unsynced tail; at most one per log. */
function damageSomeBatch(tools: DamageTools): boolean {
  const places = [...tools.models.values()]
    .filter((model) => !model.isDamaged && model.state === "present")
    .flatMap((model) => placesOf(tools, model));
  const place = places[tools.random.below(Math.max(1, places.length))];
  if (place === undefined) {
    return false;
  }
  const { model, batch } = place;
  const isZeroed = tools.random.float() < 0.25;
  const recoveryPoint = storedRecoveryPoint(tools.disk, model);
  const isPast = place.isActive && batch.baseOffset >= recoveryPoint;
  // A flip past the recovery point is known from a torn tail by what follows it; zeros are not.
  if (isPast && (isZeroed || !place.isFollowed)) {
    model.promised = Math.min(model.promised, batch.baseOffset);
    model.promisedOnKill = Math.min(model.promisedOnKill, batch.baseOffset);
  }
  change(tools, place, isZeroed);
  const where = isPast ? "past the recovery point" : place.isActive ? "active" : "sealed";
  tools.tally.count(`${isZeroed ? "zeroed sector" : "bit flip"} in log, ${where}`);
  return true;
}

/** A bit of a sealed segment flips while the log is read. */
export function damageWhileRunning(tools: DamageTools, model: ModelLog): boolean {
  const places = placesOf(tools, model).filter((place) => !place.isActive);
  const place = places[tools.random.below(Math.max(1, places.length))];
  if (place === undefined || model.isDamaged) {
    return false;
  }
  change(tools, place, false);
  tools.tally.count("bit flip in log, while it is read");
  return true;
}

interface Place {
  readonly model: ModelLog;
  readonly path: string;
  readonly batch: ModelBatch;
  readonly position: number;
  readonly isActive: boolean;
  /** By an undamaged batch, at once. */
  readonly isFollowed: boolean;
}

function change(tools: DamageTools, place: Place, isZeroed: boolean): void {
  const { disk, random } = tools;
  const { model, path, batch, position } = place;
  const at = random.below(batch.bytes.length);
  if (isZeroed) {
    const from = Math.floor((position + at) / SECTOR_BYTES) * SECTOR_BYTES;
    // Only the batch's own part of the sector, so that no other one is hit.
    const start = Math.max(from, position);
    const end = Math.min(from + SECTOR_BYTES, position + batch.bytes.length);
    disk.corrupt(path, { position: start, length: end - start });
  } else {
    disk.flipBit(path, (position + at) * 8 + random.below(8));
  }
  batch.isDamaged = true;
  model.isDamaged = true;
  model.damage = `${path} batch ${batch.baseOffset} at ${position}, ${isZeroed ? "zeros" : "a bit"} at ${at}`;
  tools.note(`damaged ${model.damage}`);
}

/** Where the model's live batches lie on the disk, as far as they are there unharmed. */
function placesOf({ disk }: DamageTools, model: ModelLog): Place[] {
  const paths = disk
    .paths()
    .filter((path) => path.includes(`/${model.name}/`) && /\/\d{20}\.log$/.test(path));
  const places: Place[] = [];
  for (const [index, path] of paths.entries()) {
    const base = Number(path.slice(-24, -4));
    const content = disk.peek(path);
    const isActive = index === paths.length - 1;
    let position = 0;
    for (const batch of model.batches.filter(({ baseOffset }) => baseOffset >= base)) {
      const end = position + batch.bytes.length;
      if (!isEqual(content.subarray(position, end), batch.bytes)) {
        break;
      }
      const isLive = batch.baseOffset >= model.start;
      const previous = places.at(-1);
      if (position > 0 && previous?.path === path) {
        places[places.length - 1] = { ...previous, isFollowed: true };
      }
      if (isLive) {
        places.push({ model, path, batch, position, isActive, isFollowed: false });
      }
      position = end;
    }
  }
  return places;
}

/** As Kafka writes it: version, count, one line per partition. 0 when there is none. */
function storedRecoveryPoint(disk: SimDisk, model: ModelLog): number {
  const path = disk.paths().find((name) => name.endsWith("/recovery-point-offset-checkpoint"));
  const text = path === undefined ? "" : new TextDecoder().decode(disk.peek(path));
  const prefix = `${model.id.topic} ${model.id.partition} `;
  const line = text.split("\n").find((one) => one.startsWith(prefix));
  return line === undefined ? 0 : Number(line.slice(prefix.length));
}

/** Keeps a copy of the index files as they are now: they may come back when they are out of date. */
export function rememberIndexes({ disk, stale }: DamageTools): void {
  for (const path of disk.paths()) {
    if (/\.(index|timeindex|index-state)$/.test(path)) {
      stale.set(path, disk.peek(path));
    }
  }
}
