// Figures of the report: what is taken from a measurement, and its spread over the runs. Pure.

import { clients, durabilities } from "../clients.js";
import type { Phase } from "../job.js";
import { partRatio } from "../progress.js";
import type { Measurement, Results } from "../results.js";
import { type LatencySummary, type Spread, spread } from "../statistics.js";

export type Figure = (measurement: Measurement) => number | undefined;

/** Shorter stretches say nothing: what a slow producer left behind is read in one go. */
export const SECONDS_MIN = 0.05;

const isLong = (phase: Phase | undefined): phase is Phase =>
  phase !== undefined && phase.seconds >= SECONDS_MIN;
const perSecond = (phase: Phase | undefined): number | undefined =>
  isLong(phase) ? phase.records / phase.seconds : undefined;
const megabytes = (phase: Phase | undefined): number | undefined =>
  isLong(phase) ? phase.bytes / 1e6 / phase.seconds : undefined;
const perMillion = (seconds: number | undefined, records = 0): number | undefined =>
  seconds === undefined || records === 0 ? undefined : (seconds / records) * 1e6;
const perClientCpuSecond = (phase: Phase | undefined): number | undefined =>
  phase === undefined || phase.clientCpuSeconds === 0
    ? undefined
    : phase.records / phase.clientCpuSeconds;
const ratio = (above: number | undefined, below: number | undefined): number | undefined =>
  above === undefined || below === undefined || below === 0 ? undefined : above / below;
/** Two round trips and two appends: what a record on an idle topic is held against. */
const twice = (
  sync: LatencySummary | undefined,
  echo: LatencySummary | undefined,
): number | undefined =>
  sync === undefined || echo === undefined ? undefined : 2 * sync.p99 + 2 * echo.p99;
const perCpuSecond = (phase: Phase | undefined): number | undefined => {
  const cpu = (phase?.clientCpuSeconds ?? 0) + (phase?.serverCpuSeconds ?? 0);
  return phase === undefined || cpu === 0 ? undefined : phase.records / cpu;
};

export const figures = {
  producedPerSecond: ({ answer }) => perSecond(answer?.produce),
  producedMegabytes: ({ answer }) => megabytes(answer?.produce),
  producedPerCpuSecond: ({ answer }) => perCpuSecond(answer?.produce),
  produceClientCpu: ({ answer }) =>
    perMillion(answer?.produce?.clientCpuSeconds, answer?.produce?.records),
  produceServerCpu: ({ answer }) =>
    perMillion(answer?.produce?.serverCpuSeconds, answer?.produce?.records),
  callP50: ({ answer }) => answer?.produce?.latencyMs?.p50,
  callP99: ({ answer }) => answer?.produce?.latencyMs?.p99,
  readPerSecond: ({ answer }) => perSecond(answer?.consume),
  readMegabytes: ({ answer }) => megabytes(answer?.consume),
  readPerCpuSecond: ({ answer }) => perCpuSecond(answer?.consume),
  readPerClientCpuSecond: ({ answer }) => perClientCpuSecond(answer?.consume),
  readClientCpu: ({ answer }) =>
    perMillion(answer?.consume?.clientCpuSeconds, answer?.consume?.records),
  readServerCpu: ({ answer }) =>
    perMillion(answer?.consume?.serverCpuSeconds, answer?.consume?.records),
  endToEndP50: ({ answer }) => answer?.endToEndMs?.p50,
  endToEndP99: ({ answer }) => answer?.endToEndMs?.p99,
  endToEndP999: ({ answer }) => answer?.endToEndMs?.p999,
  peakMegabytes: ({ serverPeakBytes }) =>
    serverPeakBytes === undefined ? undefined : serverPeakBytes / 1e6,
  connectionMegabytes: ({ answer }) => {
    const memory = answer?.connectionMemory;
    return memory === undefined ? undefined : (memory.idleBytes - memory.beforeBytes) / 1e6;
  },
  /** The median of the parts. */
  diskRatio: ({ answer }) => spread((answer?.diskParts ?? []).map(partRatio))?.median,
  diskMegabytes: ({ answer }) =>
    spread((answer?.diskParts ?? []).map((part) => (part.diskBefore + part.diskAfter) / 2))?.median,
  diskLoadMegabytes: ({ answer }) =>
    spread((answer?.diskParts ?? []).map(({ megabytesPerSecond }) => megabytesPerSecond))?.median,
  awaitedToBare: ({ answer, beside }) => {
    const { syncMs, echoMs } = beside ?? {};
    const bare = syncMs && echoMs && syncMs.p50 + 2 * echoMs.p50;
    return ratio(answer?.produce?.latencyMs?.p50, bare);
  },
  awaitedRateToEcho: ({ answer, beside }) =>
    ratio(perSecond(answer?.produce), beside?.echoPerSecond),
  endToEndToSync: ({ answer, beside }) => ratio(answer?.endToEndMs?.p99, beside?.syncMs?.p99),
  endToEndToPacedSync: ({ answer, beside }) =>
    ratio(answer?.endToEndMs?.p99, beside?.pacedSyncMs?.p99),
  idleToBare: ({ answer, beside }) =>
    ratio(answer?.endToEndMs?.p99, twice(beside?.syncMs, beside?.echoMs)),
  idleToPacedBare: ({ answer, beside }) =>
    ratio(answer?.endToEndMs?.p99, twice(beside?.pacedSyncMs, beside?.pacedEchoMs)),
  besideSyncP50: ({ beside }) => beside?.syncMs?.p50,
  besideSyncP99: ({ beside }) => beside?.syncMs?.p99,
  besidePacedSyncP50: ({ beside }) => beside?.pacedSyncMs?.p50,
  besidePacedSyncP99: ({ beside }) => beside?.pacedSyncMs?.p99,
  besideEchoP50: ({ beside }) => beside?.echoMs?.p50,
  besideEchoP99: ({ beside }) => beside?.echoMs?.p99,
  besidePacedEchoP50: ({ beside }) => beside?.pacedEchoMs?.p50,
  besidePacedEchoP99: ({ beside }) => beside?.pacedEchoMs?.p99,
} as const satisfies Record<string, Figure>;

export interface Series {
  readonly client: string;
  readonly durability: string;
}

/** Every client with each durability of its server, in the order of the tables. */
export function allSeries(
  synced?: boolean,
): (Series & { title: string; acknowledgement: string })[] {
  return clients.flatMap((client) =>
    durabilities[client.server]
      .filter((durability) => synced === undefined || durability.synced === synced)
      .map(({ name, acknowledgement }) => ({
        client: client.name,
        durability: name,
        title: client.title,
        acknowledgement,
      })),
  );
}

/** undefined when there is no such figure. */
export function figureOf(
  results: Results,
  { client, durability }: Series,
  workload: string,
  figure: Figure,
): Spread | undefined {
  const values = results.measurements
    .filter((one) => one.client === client && one.durability === durability)
    .filter((one) => one.workload === workload)
    .map(figure)
    .filter((value) => value !== undefined);
  return spread(values);
}

/** The largest figure of a series over all its workloads and runs. */
export function highest(results: Results, series: Series, figure: Figure): number | undefined {
  const values = results.measurements
    .filter((one) => one.client === series.client && one.durability === series.durability)
    .map(figure)
    .filter((value) => value !== undefined);
  return spread(values)?.max;
}
