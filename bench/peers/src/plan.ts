// Which measurements a run consists of, and in which order: within each round every server takes its turn, and the
// order moves on by one from round to round, so that nobody is always first or always after the same one. All rounds of
// the core come before those of the wide group: a run that is cut short has the more important half. Pure.

import { type Client, durabilities, reasonToSkip, type ServerKind } from "./clients.js";
import type { Place } from "./results.js";
import type { Workload } from "./workloads.js";

type Group = Workload["group"];

export interface Step {
  readonly client: Client;
  readonly workload: Workload;
}

/** One start of a server, and all that is measured against it. */
export interface Session {
  readonly server: ServerKind;
  readonly durability: string;
  readonly group: Group;
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

/**
 * The core is measured at each setting. Of the wide group only defaults are, but what an awaited record takes is first of
 * all the sync, so that Millrace without it stands beside those that have none.
 */
export function isMeasured(
  workload: Workload,
  { server, durability, group, run }: Omit<Session, "steps">,
): boolean {
  if (run > (workload.roundsMax ?? run)) {
    return false;
  }
  if (workload.group !== group || (workload.kind === "beside-disk" && durability === "os")) {
    return false;
  }
  const isDefault = durabilities[server][0]?.name === durability;
  const isBesideUnsynced = server === "millrace" && workload.kind === "connections";
  return group === "core" || isDefault || isBesideUnsynced;
}

function sessionOf(request: PlanRequest, place: Omit<Session, "steps">): Session {
  const { server, run } = place;
  const clients = rotated(
    request.clients.filter((client) => client.server === server),
    run - 1,
  );
  const steps = clients.flatMap((client) =>
    request.workloads
      .filter((workload) => isMeasured(workload, place))
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
  const rounds = (group: Group, runs: number): Session[] =>
    Array.from({ length: runs }, (_, index) => index + 1).flatMap((run) =>
      rotated(variants, run - 1)
        .map((variant) => sessionOf(request, { ...variant, group, run }))
        .filter(({ steps }) => steps.length > 0),
    );
  return [...rounds("core", request.runs), ...rounds("wide", request.wideRuns)];
}
