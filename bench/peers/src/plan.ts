// Which measurements a run consists of, and in which order: within each round every server takes its turn, and the
// order moves on by one from round to round, so that nobody is always first or always after the same one. Pure.

import { type Client, durabilities, reasonToSkip, type ServerKind } from "./clients.js";
import type { Place } from "./results.js";
import type { Workload } from "./workloads.js";

export interface Step {
  readonly client: Client;
  readonly workload: Workload;
}

/** One start of a server, and all that is measured against it. */
export interface Session {
  readonly server: ServerKind;
  readonly durability: string;
  readonly run: number;
  readonly steps: readonly Step[];
}

export interface PlanRequest {
  readonly clients: readonly Client[];
  readonly workloads: readonly Workload[];
  readonly durabilities: readonly string[] | undefined;
  readonly runs: number;
  readonly wideRuns: number;
  readonly isDone: (place: Place) => boolean;
}

export const placeOf = ({ durability, run }: Session, { client, workload }: Step): Place => ({
  client: client.name,
  durability,
  workload: workload.name,
  run,
});

const rotated = <T>(items: readonly T[], by: number): T[] => {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
};

/** Core workloads that say nothing new about a peer whose limit is the disk. */
const notStrict: ReadonlySet<string> = new Set(["produce-10kib", "latency-1000"]);

/** Only defaults are measured with the wide group. */
export function isMeasured(
  workload: Workload,
  { server, durability, run }: Omit<Session, "steps">,
  wideRuns: number,
): boolean {
  return workload.group === "core"
    ? durability !== "strict" || !notStrict.has(workload.name)
    : durabilities[server][0]?.name === durability && run <= wideRuns;
}

function sessionOf(request: PlanRequest, place: Omit<Session, "steps">): Session {
  const { server, run } = place;
  const clients = rotated(
    request.clients.filter((client) => client.server === server),
    run - 1,
  );
  const steps = clients.flatMap((client) =>
    request.workloads
      .filter((workload) => isMeasured(workload, place, request.wideRuns))
      .filter((workload) => reasonToSkip(client, workload) === undefined)
      .map((workload) => ({ client, workload })),
  );
  const session = { ...place, steps };
  return { ...session, steps: steps.filter((step) => !request.isDone(placeOf(session, step))) };
}

/** Sessions in the order in which they run, without those that have nothing left to do. */
export function plan(request: PlanRequest): Session[] {
  const servers = [...new Set(request.clients.map(({ server }) => server))];
  const variants = servers.flatMap((server) =>
    durabilities[server]
      .filter(({ name }) => request.durabilities?.includes(name) ?? true)
      .map(({ name }) => ({ server, durability: name })),
  );
  return Array.from({ length: request.runs }, (_, index) => index + 1).flatMap((run) =>
    rotated(variants, run - 1)
      .map((variant) => sessionOf(request, { ...variant, run }))
      .filter(({ steps }) => steps.length > 0),
  );
}
