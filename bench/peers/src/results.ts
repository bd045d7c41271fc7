// The file of results: everything that was measured, with where and how. One measurement has one place (client,
// durability, workload, run), so that a run that was cut short goes on where it stopped.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Baseline } from "./baseline.js";
import type { Beside } from "./beside.js";
import type { JobAnswer } from "./job.js";
import type { Machine } from "./machine.js";

export const FORMAT = 1;

/** Which measurement it is. Runs count from 1. */
export interface Place {
  readonly client: string;
  readonly durability: string;
  readonly workload: string;
  readonly run: number;
}

export interface Measurement extends Place {
  /** ISO 8601. */
  readonly at: string;
  readonly answer?: JobAnswer;
  /** The most memory of the server during the job, and what it had at the end. */
  readonly serverPeakBytes?: number;
  readonly serverResidentBytes?: number;
  /** The machine by itself right before and after the job, where a target is a ratio to it. */
  readonly beside?: Beside;
  /** All of it, with starting the client and reading back. */
  readonly tookSeconds?: number;
  /** Instead of an answer. */
  readonly failure?: string;
}

export interface Results {
  readonly format: typeof FORMAT;
  machine: Machine;
  /** By client. */
  readonly versions: Record<string, string>;
  /** By `server/durability`. */
  readonly configurations: Record<string, Record<string, string>>;
  /** Clients that could not be measured here, and why. */
  readonly unavailable: Record<string, string>;
  /** By `server/durability`: starting, warming up and stopping the server, the last time. */
  serverSeconds?: Record<string, number>;
  readonly baselines: { run: number; at: string; baseline: Baseline }[];
  readonly measurements: Measurement[];
}

export function emptyResults(machine: Machine): Results {
  return {
    format: FORMAT,
    machine,
    versions: {},
    configurations: {},
    unavailable: {},
    serverSeconds: {},
    baselines: [],
    measurements: [],
  };
}

/** @throws when the file is of another format */
export function loadResults(file: string): Results | undefined {
  if (!existsSync(file)) {
    return undefined;
  }
  const results = JSON.parse(readFileSync(file, "utf8")) as Results;
  if (results.format !== FORMAT) {
    throw new Error(`${file}: format ${results.format}, expected ${FORMAT}`);
  }
  return results;
}

/** A reader never sees half a file. */
export function saveResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true });
  const next = `${file}.next`;
  writeFileSync(next, `${JSON.stringify(results, undefined, 1)}\n`);
  renameSync(next, file);
}

const isAt = (measurement: Measurement, place: Place): boolean =>
  measurement.client === place.client &&
  measurement.durability === place.durability &&
  measurement.workload === place.workload &&
  measurement.run === place.run;

/** Measured, with an answer: a failure is tried again. */
export function isDone(results: Results, place: Place): boolean {
  return results.measurements.some(
    (measurement) => isAt(measurement, place) && measurement.answer !== undefined,
  );
}

/** Takes the place of what was there. */
export function record(results: Results, measurement: Measurement): void {
  const index = results.measurements.findIndex((old) => isAt(old, measurement));
  if (index < 0) {
    results.measurements.push(measurement);
  } else {
    results.measurements[index] = measurement;
  }
}
