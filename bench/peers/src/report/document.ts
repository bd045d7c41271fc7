// docs/benchmarks.md, from the results: the method, every table, what failed. Pure.

import type { Results } from "../results.js";
import { spread } from "../statistics.js";
import { IDLE_GAP_MS, limits, workloadNamed } from "../workloads.js";
import { aheadText } from "./ahead.js";
import {
  absences,
  acknowledgementTable,
  baselineTable,
  besideTable,
  configurationList,
  memoryTable,
  versionList,
} from "./appendix.js";
import { type Group, groups } from "./columns.js";
import { cell, number, table } from "./tables.js";
import { type Target, targetsOf } from "./targets.js";

export interface PlotLink {
  readonly name: string;
  readonly description: string;
}

/** One table for those that sync and one for those that don't: the two promise different things. */
function tablesOf(results: Results, wanted: readonly Group[]): string {
  return wanted
    .map(({ synced, rows, columns }) => {
      const text = table(results, rows, columns);
      const head =
        synced === undefined
          ? ""
          : synced
            ? "An acknowledgement means that the disk has the record:\n\n"
            : "An acknowledgement means less (see [what each one means](#what-an-acknowledgement-means)):\n\n";
      return text === "" ? "" : `${head}${text}`;
    })
    .join("\n");
}

function verdictOf({ passes, isInformation }: Target): string {
  if (passes === undefined) {
    return "not measured";
  }
  return isInformation === true ? "for information" : passes ? "pass" : "**miss**";
}

function targetTable(targets: readonly Target[]): string {
  const lines = targets.map((target) => {
    const { figure, spread: range } = target;
    const shown = range === undefined ? (figure === undefined ? "" : number(figure)) : cell(range);
    return `| ${target.what} | ${target.target} | ${shown} | ${verdictOf(target)} |`;
  });
  return ["| | target | figure | |", "| --- | ---: | ---: | --- |", ...lines, ""].join("\n");
}

const targetText = `What Millrace set itself, computed from this run. A ratio to a peer is one of medians. A ratio to the disk or the socket by
themselves is taken in each round against slices right before and right after that very load, because a virtual disk changes its
speed by the second; the figures are [below](#the-machine-by-itself). \`diskRatio\` is that of four parts of load, each between two slices
of the disk (1 MiB appends, each with \`fdatasync\`), as \`millrace bench produce\` has it. *Back to back* is how the targets are worded and judged;
a disk that is asked as seldom as the load asks may be slower or quicker, so that is beside it.
`;

function plotImage(plots: readonly PlotLink[], name: string): string {
  const plot = plots.find((one) => one.name === name);
  return plot === undefined ? "" : `![${plot.description}](benchmarks/${plot.name}.svg)\n`;
}

const rounds = (count: number): string => `${count} round${count === 1 ? "" : "s"}`;

function roundsText(results: Results): string {
  const of = (group: "core" | "wide"): number =>
    spread(
      results.measurements
        .filter(({ workload }) => workloadNamed(workload)?.group === group)
        .map(({ run }) => run),
    )?.max ?? 0;
  const wide = of("wide");
  const words = wide === 0 ? "" : ` (compression, partitions and connections: of ${rounds(wide)})`;
  return `Cells are medians of ${rounds(of("core"))}${words}, with the smallest and the largest in parentheses; the best of a column is bold,
whoever has it. Where that is not Millrace, it is in [one list](#where-a-peer-is-ahead) too.`;
}

function machineText({ machine }: Results): string {
  return `Millrace beside Apache Kafka, NATS JetStream, Redis Streams and RabbitMQ streams, with the same workloads. All figures are of one machine: ${machine.cpu}, ${machine.cores} cores,
${number(machine.memoryBytes / 1e9)} GB of memory, ${machine.kernel}, Node.js ${machine.node}, data on ${machine.fileSystem.split(" ")[0]}. Client and server share its
cores and its disk: every figure is of both together, and only comparisons within one run mean anything.`;
}

function introduction(results: Results, resultFile: string): string {
  return `${machineText(results)} Run it on yours:

\`\`\`sh
npm run bench:peers -- --all                       # everything, three rounds
npm run bench:peers -- --all --plan                # how long that takes
npm run bench:peers -- --peer kafkajs --quick      # one peer
npm run bench:peers -- --report                    # this page from ${resultFile}
\`\`\`

${roundsText(results)}
`;
}

const methodText = `- Every server is the real one, in a process of its own on loopback, on a free port, with a data directory of its own on the
  same disk, started for its turn and removed afterwards. Within a round all take turns; the order moves on from round to
  round. Before the next turn what is dirty is written back.
- Every client is a process of its own, new for each measurement. Node.js clients share one worker and differ in a driver
  (\`bench/peers/src/drivers\`); Kafka's Java client has the same workloads in \`bench/peers/java/Driver.java\`. Kafka's perf tools and
  \`nats bench\` run beside them as they are, with their own content and without a warm-up.
- The records are the same bytes for all drivers, from a seeded generator: random, or JSON-like where compression is measured. No keys, no headers, one replica.
- *Batched*: calls with batches of up to ${limits.batchBytes.toLocaleString("en")} bytes, ${limits.batchesInFlight} on their way; clients that batch by themselves have a batch size of 1 MiB and may
  wait ${limits.lingerMs} ms for more. NATS sends atomic batches of 1,000 messages, Redis a pipeline, RabbitMQ chunks as large as its frame allows.
  Rates count until the last acknowledgement.
- *Awaited*: one record at a time. *1,000 on their way*: single records, at most 1,000 unacknowledged; what becomes of them is the client's
  affair (kafkajs and @platformatic/kafka send a request for each).
- *Latency* is an open loop: records leave when they are due, whatever became of those before, and the latency counts from when a
  record was due until a consumer in the same process has it. That is the correction for coordinated omission. A tick is 1 ms; what is due at
  one tick goes in one call. *Idle*: a record every ${IDLE_GAP_MS} ms.
- *Catch-up read*: what the client itself has just produced, from the start, counted from the first record that arrives. It is in the page cache.
  Node.js clients and the Java driver read it twice: the first pass is the proof and the warm-up, the second is measured.
- After each batched measurement everything is read back and counted, and in Node.js a sum over its bytes compared with that of what was sent; after the
  others the server is asked for its count (RabbitMQ: read back too). A measurement whose records are not all there is a failure and has no figure.
- CPU seconds are user and system of all threads, client and server apart. Memory is the highest resident size of the server during a
  measurement; Kafka's has a heap of 1 GB from the start, as its scripts set it.
- A warm-up precedes each measurement (2.5 s where single records or latencies are measured, 0.6 s elsewhere), and one short job each
  server; an idle topic is warmed up with 1,000 records/s. Stretches are short (about a second): what grows over hours is not in here.
`;

type Section = readonly [title: string, ...content: string[]];

function comparisons(results: Results, plots: readonly PlotLink[]): readonly Section[] {
  const tables = (wanted: readonly Group[]): string => tablesOf(results, wanted);
  return [
    ["Produce, batched", plotImage(plots, "produce"), tables(groups.produce)],
    ["Single records", tables(groups.single)],
    [
      "End-to-end latency",
      "Milliseconds from when a record was due until it was consumed.\n",
      plotImage(plots, "latency"),
      plotImage(plots, "idle"),
      tables(groups.latency),
    ],
    [
      "Catch-up read",
      "Each server at its default: what a reader gets does not depend on when the records were synced.\n",
      plotImage(plots, "consume"),
      tables(groups.read),
    ],
    [
      "Compression",
      "MB/s of 1 KiB records before compression, each server at its default (Millrace syncs, the others do not).\n",
      tables(groups.compression),
    ],
    [
      "Partitions",
      plotImage(plots, "partitions"),
      "Records of 1 KiB per second, spread evenly over so many partitions, each server at its default (Millrace syncs, the others do not); 1,000 partitions in one round only, because making them takes Kafka most of a minute for each client:\n",
      tables(groups.partitions),
      "The same per CPU second of client and server together:\n",
      tables(groups.partitionsPerCpu),
    ],
    [
      "Connections",
      "Every connection awaits one record of 100 B at a time; each peer at its default, Millrace with and without the sync. Memory is what the server grew by.\n",
      tables(groups.connections),
    ],
  ];
}

export function documentOf(
  results: Results,
  { plots, resultFile }: { plots: readonly PlotLink[]; resultFile: string },
): string {
  const sections: readonly Section[] = [
    ["Where a peer is ahead", aheadText(results)],
    ["Targets", targetText, targetTable(targetsOf(results))],
    ["How it is measured", methodText],
    [
      "The machine by itself",
      baselineTable(results),
      "Right before and right after Millrace's loads, synced:\n",
      besideTable(results),
    ],
    ...comparisons(results, plots),
    ["Server memory", "The most in any measurement.\n", memoryTable(results)],
    ["What an acknowledgement means", acknowledgementTable()],
    [
      "Versions and configuration",
      `${versionList(results)}\n`,
      `Settings that differ from what one node needs anyway:\n\n${configurationList(results)}\n`,
    ],
    ["What is missing", absences(results)],
  ];
  // A section ends with its table: without one, nothing of it was measured.
  const body = sections
    .filter(([title, ...content]) => content.at(-1) !== "" || title === "The machine by itself")
    .map(([title, ...content]) =>
      [`## ${title}`, "", ...content.filter((part) => part !== "")].join("\n"),
    );
  return [
    "# Benchmarks",
    "",
    "<!-- Written by `npm run bench:peers -- --report`; change bench/peers/src/report instead. -->",
    "",
    introduction(results, resultFile),
    ...body,
  ]
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n");
}
