// What targets.ts makes of its figures: each aim with its bound, computed from the baselines of the same run, and the
// tables. Pure but for the printing.

import type { IdleConnectionsResult } from "./idle-connections.js";
import type { LatencySummary } from "./latencies.js";
import type { PartitionsRow } from "./targets-partitions.js";

export interface Aim {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly unit: string;
  readonly isMet: boolean;
}

export interface Figures {
  readonly latencies: Readonly<Record<string, LatencySummary>>;
  readonly partitions: readonly PartitionsRow[];
  readonly connections: IdleConnectionsResult | undefined;
  readonly peakMegabytes: number;
}

export interface Report extends Figures {
  readonly aims: readonly Aim[];
  /** Microseconds of CPU for each operation. */
  readonly cpuMicros: readonly { name: string; broker: number; client: number }[];
}

const RATE_SYNCS = 5;
const ROUND_TRIPS = 2;
const SYNCS = 2;
const BARE_FACTOR = 2;
const OS_SHARE = 0.5;
const CONNECTIONS_MEGABYTES = 50;
const RESIDENT_MEGABYTES = 250;
/** What "flat" may lose from one partition to the most. */
const FLAT_SHARE = 0.8;

const atMost = (name: string, value: number, bound: number, unit = "ms"): Aim => ({
  name,
  value,
  bound,
  unit,
  isMet: value <= bound,
});

/** No aim of the project, but the limit: the same load to a server that only appends, syncs and answers. */
const toBare = (name: string, value: number, bareMs: number): Aim =>
  atMost(`${name}, twice a bare server with a sync`, value, BARE_FACTOR * bareMs);

function perSecond({ p50Ms, count }: LatencySummary): number {
  return count === 0 || p50Ms === 0 ? 0 : 1000 / p50Ms;
}

function latencyAims(latencies: Figures["latencies"]): Aim[] {
  const of = (kind: string): LatencySummary =>
    latencies[kind] ?? { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };
  const [raw, sync, echo] = [of("rawAppend"), of("rawSync"), of("echo")];
  const [pacedEcho, pacedSync] = [of("idleEcho"), of("idleSync")];
  const aims: Aim[] = [];
  if (of("awaited").count > 0) {
    const bound = raw.p50Ms + ROUND_TRIPS * echo.p50Ms;
    aims.push(
      atMost("awaited, fsynced: p50", of("awaited").p50Ms, bound),
      toBare("awaited, fsynced: p50", of("awaited").p50Ms, of("bareAwaited").p50Ms),
    );
  }
  if (of("awaitedOs").count > 0) {
    const value = perSecond(of("awaitedOs"));
    const bound = OS_SHARE * perSecond(echo);
    aims.push({
      name: "awaited, flush=os: rate at the median",
      value,
      bound,
      unit: "/s",
      isMet: value >= bound,
    });
  }
  if (of("rate").count > 0) {
    aims.push(
      atMost("10,000/s, end to end: p99", of("rate").p99Ms, RATE_SYNCS * sync.p99Ms),
      atMost("10,000/s, end to end: p50", of("rate").p50Ms, RATE_SYNCS * sync.p50Ms),
      atMost(
        "10,000/s, end to end: p99, a sync each millisecond",
        of("rate").p99Ms,
        RATE_SYNCS * of("pacedSync").p99Ms,
      ),
      toBare("10,000/s, end to end: p50", of("rate").p50Ms, of("bareRate").p50Ms),
      toBare("10,000/s, end to end: p99", of("rate").p99Ms, of("bareRate").p99Ms),
    );
  }
  if (of("idle").count > 0) {
    const idle = of("idle");
    const bound = (trip: number, one: number): number => ROUND_TRIPS * trip + SYNCS * one;
    aims.push(
      atMost("idle topic: p99", idle.p99Ms, bound(echo.p99Ms, sync.p99Ms)),
      atMost("idle topic: p50", idle.p50Ms, bound(echo.p50Ms, sync.p50Ms)),
      atMost(
        "idle topic: p99, baselines as idle",
        idle.p99Ms,
        bound(pacedEcho.p99Ms, pacedSync.p99Ms),
      ),
      atMost(
        "idle topic: p50, baselines as idle",
        idle.p50Ms,
        bound(pacedEcho.p50Ms, pacedSync.p50Ms),
      ),
      toBare("idle topic: p50", idle.p50Ms, of("bareIdle").p50Ms),
      toBare("idle topic: p99", idle.p99Ms, of("bareIdle").p99Ms),
    );
  }
  return aims;
}

/** Each record size: the least efficient number of partitions against one partition. */
function flatnessAims(rows: readonly PartitionsRow[]): Aim[] {
  return [...new Set(rows.map((row) => row.recordBytes))].map((recordBytes) => {
    const rates = rows
      .filter((row) => row.recordBytes === recordBytes)
      .map((row) => row.recordsPerCpuSecond);
    const value = Math.min(...rates) / (rates[0] ?? 1);
    return {
      name: `${recordBytes} B over 1 to 8 partitions: least records per CPU second, to one`,
      value,
      bound: FLAT_SHARE,
      unit: "x",
      isMet: value >= FLAT_SHARE,
    };
  });
}

export function judge({ latencies, partitions, connections, peakMegabytes }: Figures): Aim[] {
  const memory = atMost("broker, resident at most", peakMegabytes, RESIDENT_MEGABYTES, "MB");
  const idle =
    connections === undefined
      ? []
      : [
          atMost(
            `${connections.connections} idle connections`,
            connections.costMegabytes,
            CONNECTIONS_MEGABYTES,
            "MB",
          ),
        ];
  return [...latencyAims(latencies), ...idle, ...flatnessAims(partitions), memory];
}

const number = (value: number, unit: string): string =>
  value.toFixed(unit === "ms" ? 3 : unit === "x" ? 2 : 0);

export function printReport(report: Report): void {
  for (const { name, value, bound, unit, isMet } of report.aims) {
    const figures = `${number(value, unit).padStart(8)} ${unit.padEnd(3)} bound ${number(bound, unit).padStart(8)}`;
    console.log(`${isMet ? "met   " : "missed"} ${name.padEnd(66)} ${figures}`);
  }
  console.log("\nkind            count   p50 ms   p99 ms   max ms");
  for (const [kind, { count, p50Ms, p99Ms, maxMs }] of Object.entries(report.latencies)) {
    const columns = [p50Ms, p99Ms, maxMs].map((value) => value.toFixed(3).padStart(8)).join(" ");
    console.log(`${kind.padEnd(12)} ${String(count).padStart(8)} ${columns}`);
  }
  for (const { name, broker, client } of report.cpuMicros) {
    console.log(
      `CPU of one, ${name}: server ${broker.toFixed(0)} µs, client ${client.toFixed(0)} µs`,
    );
  }
  if (report.partitions.length > 0) {
    console.log("\nrecord B  partitions  records/s  per CPU s  CPU s per million (broker, client)");
  }
  for (const row of report.partitions) {
    console.log(
      [
        String(row.recordBytes).padStart(8),
        String(row.partitions).padStart(11),
        row.recordsPerSecond.toFixed(0).padStart(10),
        row.recordsPerCpuSecond.toFixed(0).padStart(10),
        row.brokerCpuPerMillion.toFixed(2).padStart(10),
        row.clientCpuPerMillion.toFixed(2).padStart(8),
      ].join(" "),
    );
  }
  if (report.connections !== undefined) {
    const { emptyMegabytes, withConnectionsMegabytes } = report.connections;
    console.log(
      `\nresident: empty ${emptyMegabytes.toFixed(0)} MB, with the connections ${withConnectionsMegabytes.toFixed(0)} MB`,
    );
  }
}
