// What there is and what a run would do, in words: for --list and --plan. Pure.

import { clients } from "./clients.js";
import { planSeconds } from "./estimate.js";
import type { Session } from "./plan.js";
import type { Results } from "./results.js";
import { workloads } from "./workloads.js";

export function listText(): string {
  const names = (items: readonly { name: string; title: string }[]): string =>
    items.map(({ name, title }) => `  ${name.padEnd(22)} ${title}`).join("\n");
  return `peers\n${names(clients)}\nworkloads\n${names(workloads)}\n`;
}

export const minutes = (seconds: number): string => `${(seconds / 60).toFixed(1)} min`;

/** One line for each turn of a server, one for each round, and the sum. */
export function planText(results: Results, sessions: readonly Session[]): string {
  const roundOf = ({ group, run }: Session): string => `${group}, round ${run}`;
  const lines = [...new Set(sessions.map(roundOf))].flatMap((round) => {
    const turns = sessions.filter((session) => roundOf(session) === round);
    return [
      `${round}: ${minutes(planSeconds(results, turns))}`,
      ...turns.map((session) => {
        const who = `${session.server}/${session.durability}`.padEnd(18);
        const count = String(session.steps.length).padStart(3);
        return `  ${who} ${count} measurements  ${minutes(planSeconds(results, [session])).padStart(8)}`;
      }),
    ];
  });
  const measurements = sessions.reduce((sum, { steps }) => sum + steps.length, 0);
  const all = `${measurements} measurements, about ${minutes(planSeconds(results, sessions))}`;
  return `${[...lines, all].join("\n")}\n`;
}
