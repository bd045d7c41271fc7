// How long measurements take: as long as they did, where the results say so; else about what their clients took
// elsewhere. Pure.

import type { Session, Step } from "./plan.js";
import { placeOf } from "./plan.js";
import type { Results } from "./results.js";
import { spread } from "./statistics.js";

/** Seconds of a measurement with the standard profile: starting the client, warming up, the load, reading back. */
const perClient: Readonly<Record<string, number>> = {
  "kafka-java": 5.5,
  "kafka-perf": 7,
  "nats-bench": 4.5,
};
const OTHER_CLIENT = 3.3;
/** What is longer than the others, beside that: everywhere, or with one server. */
const perWorkload: Readonly<Record<string, number>> = {
  idle: 4,
  "beside-disk": 8,
  "partitions-1000": 3,
  "kafka/partitions-1000": 50,
  "connections-1000": 6,
};
const SERVER = 6;

const known = (results: Results, step: Step, session: Session): number | undefined => {
  const { client, durability, workload } = placeOf(session, step);
  const took = results.measurements
    .filter((one) => one.client === client && one.durability === durability)
    .filter((one) => one.workload === workload)
    .map(({ tookSeconds }) => tookSeconds)
    .filter((seconds) => seconds !== undefined);
  return spread(took)?.median;
};

export function stepSeconds(results: Results, session: Session, step: Step): number {
  const { client, workload } = step;
  const longer =
    perWorkload[`${client.server}/${workload.name}`] ?? perWorkload[workload.name] ?? 0;
  return known(results, step, session) ?? (perClient[client.name] ?? OTHER_CLIENT) + longer;
}

/** With the start and the end of the server. */
export function sessionSeconds(results: Results, session: Session): number {
  const name = `${session.server}/${session.durability}`;
  return session.steps.reduce(
    (sum, step) => sum + stepSeconds(results, session, step),
    results.serverSeconds?.[name] ?? SERVER,
  );
}

export const planSeconds = (results: Results, sessions: readonly Session[]): number =>
  sessions.reduce((sum, session) => sum + sessionSeconds(results, session), 0);
