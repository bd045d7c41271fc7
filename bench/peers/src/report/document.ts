// docs/benchmarks.md, from the results: the method, every table, what failed. Pure.

import { clients, durabilities } from "../clients.js";
import type { Results } from "../results.js";
import { spread } from "../statistics.js";
import { limits, workloads } from "../workloads.js";
import {
  allSeries,
  connectionCounts,
  type Figure,
  figures,
  highest,
  partitionCounts,
} from "./figures.js";
import { type Column, cell, number, type Row, table } from "./tables.js";
import { type Target, targetsOf } from "./targets.js";

export interface PlotLink {
  readonly name: string;
  readonly description: string;
}

const column = (
  title: string,
  workload: string,
  figure: Figure,
  best: Column["best"] = "highest",
): Column => ({ title, workload, figure, best });

const produceColumns: readonly Column[] = [
  column("100 B, records/s", "produce-100b", figures.producedPerSecond),
  column("1 KiB, MB/s", "produce-1kib", figures.producedMegabytes),
  column("10 KiB, MB/s", "produce-10kib", figures.producedMegabytes),
  column("client CPU s per million, 100 B", "produce-100b", figures.produceClientCpu, "lowest"),
  column("server CPU s per million, 100 B", "produce-100b", figures.produceServerCpu, "lowest"),
];

const singleColumns: readonly Column[] = [
  column("awaited, records/s", "awaited", figures.producedPerSecond),
  column("p50 ms", "awaited", figures.callP50, "lowest"),
  column("p99 ms", "awaited", figures.callP99, "lowest"),
  column("1,000 on their way, records/s", "pipelined", figures.producedPerSecond),
  column("p99 ms", "pipelined", figures.callP99, "lowest"),
];

const latencyColumns: readonly Column[] = [
  ...[1_000, 10_000].flatMap((rate) => [
    column(`${rate.toLocaleString("en")}/s: p50`, `latency-${rate}`, figures.endToEndP50, "lowest"),
    column("p99", `latency-${rate}`, figures.endToEndP99, "lowest"),
    column("p99.9", `latency-${rate}`, figures.endToEndP999, "lowest"),
  ]),
  column("idle: p50", "idle", figures.endToEndP50, "lowest"),
  column("p99", "idle", figures.endToEndP99, "lowest"),
];

const readColumns: readonly Column[] = [
  column("100 B, records/s", "produce-100b", figures.readPerSecond),
  column("1 KiB, MB/s", "produce-1kib", figures.readMegabytes),
  column("10 KiB, MB/s", "produce-10kib", figures.readMegabytes),
  column("client CPU s per million, 100 B", "produce-100b", figures.readClientCpu, "lowest"),
  column("server CPU s per million, 100 B", "produce-100b", figures.readServerCpu, "lowest"),
];

const compressionColumns: readonly Column[] = workloads
  .filter(({ name }) => name.startsWith("compress-"))
  .flatMap(({ name, title }) => [
    column(title.replace("1 KiB ", ""), name, figures.producedMegabytes),
  ]);

const partitionColumns = (figure: Figure): Column[] =>
  partitionCounts.map((count) => column(count.toLocaleString("en"), `partitions-${count}`, figure));

const connectionColumns: readonly Column[] = [
  ...connectionCounts.map((count) =>
    column(
      `${count.toLocaleString("en")}, records/s`,
      `connections-${count}`,
      figures.producedPerSecond,
    ),
  ),
  column(
    "server memory for 1,000 idle, MB",
    "connections-1000",
    figures.connectionMegabytes,
    "lowest",
  ),
];

/** One table for those that sync and one for those that don't: the two promise different things. */
function byPromise(results: Results, columns: readonly Column[]): string {
  return [true, false]
    .map((synced) => {
      const text = table(results, allSeries(synced), columns);
      const head = synced
        ? "An acknowledgement means that the disk has the record:"
        : "An acknowledgement means less (see [what each one means](#what-an-acknowledgement-means)):";
      return text === "" ? "" : `${head}\n\n${text}`;
    })
    .join("\n");
}

const defaults = (): Row[] =>
  allSeries().filter(({ client, durability }) => {
    const server = clients.find(({ name }) => name === client)?.server;
    return server !== undefined && durabilities[server][0]?.name === durability;
  });

const labelled = (rows: ReturnType<typeof allSeries>): Row[] =>
  rows.map((row) => ({ ...row, title: `${row.title}, ${row.durability}` }));

function targetTable(targets: readonly Target[]): string {
  const lines = targets.map(({ what, target, figure, passes }) => {
    const verdict = passes === undefined ? "not measured" : passes ? "pass" : "**miss**";
    return `| ${what} | ${target} | ${figure === undefined ? "" : number(figure)} | ${verdict} |`;
  });
  return ["| | target | figure | |", "| --- | ---: | ---: | --- |", ...lines, ""].join("\n");
}

function acknowledgementTable(): string {
  const lines = Object.entries(durabilities).flatMap(([server, list]) =>
    list.map(
      ({ name, acknowledgement, synced }) =>
        `| ${server} | ${name} | ${acknowledgement} | ${synced ? "yes" : "no"} |`,
    ),
  );
  return [
    "| server | setting | an acknowledged record is | on the disk |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

function baselineTable(results: Results): string {
  const of = (take: (one: Results["baselines"][number]["baseline"]) => number): string => {
    const found = spread(results.baselines.map(({ baseline }) => take(baseline)));
    return found === undefined ? "" : cell(found);
  };
  return [
    "| | |",
    "| --- | ---: |",
    `| load average of the minute before (the round before it included) | ${of((one) => one.loadAverage)} |`,
    `| disk: 1 MiB writes, each with \`fdatasync\`, MB/s | ${of((one) => one.diskMegabytesPerSecond)} |`,
    `| disk: 1 KiB write and \`fdatasync\`, p50 ms | ${of((one) => one.syncMs.p50)} |`,
    `| the same, p99 ms | ${of((one) => one.syncMs.p99)} |`,
    `| bare \`ws\` echo of 100 B, p50 ms | ${of((one) => one.echoMs.p50)} |`,
    `| the same, p99 ms | ${of((one) => one.echoMs.p99)} |`,
    `| bare \`ws\` echoes one at a time, per second | ${of((one) => one.echoPerSecond)} |`,
    `| bare \`ws\` echoes with 1,000 on their way, per second | ${of((one) => one.echoPipelinedPerSecond)} |`,
    "",
  ].join("\n");
}

function memoryTable(results: Results): string {
  const lines = allSeries()
    .map((series) => ({ series, peak: highest(results, series, figures.peakMegabytes) }))
    .filter(({ peak }) => peak !== undefined)
    .map(({ series, peak = 0 }) => `| ${series.title} | ${series.durability} | ${number(peak)} |`);
  return ["| | setting | MB |", "| --- | --- | ---: |", ...lines, ""].join("\n");
}

function versionList(results: Results): string {
  return Object.entries(results.versions)
    .map(([client, version]) => {
      const caveat = clients.find(({ name }) => name === client)?.caveat;
      return `- \`${client}\`: ${version}${caveat === undefined ? "" : `. ${caveat}`}`;
    })
    .join("\n");
}

function configurationList(results: Results): string {
  return Object.entries(results.configurations)
    .map(([name, settings]) => {
      const list = Object.entries(settings).map(([key, value]) => `\`${key}=${value}\``);
      return `- ${name}: ${list.length === 0 ? "as it comes" : list.join(", ")}`;
    })
    .join("\n");
}

function absences(results: Results): string {
  const missing = Object.entries(results.unavailable).map(
    ([client, reason]) =>
      `- \`${client}\` was not measured:\n\n  \`\`\`text\n${indent(reason)}\n  \`\`\``,
  );
  const failed = results.measurements
    .filter(({ failure }) => failure !== undefined)
    .map(
      ({ client, durability, workload, run, failure }) =>
        `- \`${client}\`, ${durability}, ${workload}, run ${run}: ${firstLines(failure ?? "")}`,
    );
  const all = [...missing, ...failed];
  return all.length === 0 ? "Nothing failed, nothing was left out.\n" : `${all.join("\n")}\n`;
}

const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");

const firstLines = (text: string): string =>
  `\`${text.split("\n").slice(0, 2).join(" ").replaceAll("`", "'").slice(0, 200)}\``;

function plotImage(plots: readonly PlotLink[], name: string): string {
  const plot = plots.find((one) => one.name === name);
  return plot === undefined ? "" : `![${plot.description}](benchmarks/${plot.name}.svg)\n`;
}

function methodText(results: Results, resultFile: string): string {
  const runs = spread(results.baselines.map(({ run }) => run))?.max ?? 0;
  const { machine } = results;
  return `All figures are of one machine: ${machine.cpu}, ${machine.cores} cores,
${number(machine.memoryBytes / 1e9)} GB of memory, ${machine.kernel}, data on ${machine.fileSystem.split(" ")[0]}. Client and server share its
${machine.cores} cores, and the disk is a virtual one: every figure is of both together, and only comparisons within one run mean
anything. Run it on yours:

\`\`\`sh
npm run bench:peers -- --all                       # everything, three rounds
npm run bench:peers -- --peer kafkajs --quick      # one peer
npm run bench:peers -- --report                    # this page from ${resultFile}
\`\`\`

Cells are medians of ${runs} round${runs === 1 ? "" : "s"} (smallest to largest where there were several); the best of a column is bold, whoever has it.

## How it is measured

- Every server is the real one, in a process of its own on loopback, on a free port, with a data directory of its own on the
  same disk, started for its turn and removed afterwards. Within a round all take turns; the order moves on from round to
  round. Before the next turn what is dirty is written back.
- Every client is a process of its own, new for each measurement. Node.js clients share one worker and differ in a driver
  (\`bench/peers/src/drivers\`); Kafka's Java client has the same workloads in \`bench/peers/java/Driver.java\`, and its perf tools
  run beside it as they are.
- The records are the same bytes for all, from a seeded generator: random, or JSON-like where compression is measured. No keys, no headers, one replica.
- *Batched*: calls with batches of up to ${limits.batchBytes.toLocaleString("en")} bytes, ${limits.batchesInFlight} on their way; clients that batch by themselves have a batch size of 1 MiB and may
  wait ${limits.lingerMs} ms for more. NATS sends atomic batches of 1,000 messages, Redis a pipeline, RabbitMQ chunks as large as its frame allows.
  Rates count until the last acknowledgement.
- *Awaited*: one record at a time. *1,000 on their way*: single records, at most 1,000 unacknowledged; what becomes of them is the client's
  affair (kafkajs and @platformatic/kafka send a request for each).
- *Latency* is an open loop: records leave when they are due, whatever became of those before, and the latency counts from when a
  record was due until a consumer in the same process has it. That is the correction for coordinated omission. A tick is 1 ms; what is due at
  one tick goes in one call.
- *Catch-up read*: what the client itself has just produced, from the start, counted from the first record that arrives. It is in the page cache.
- After each batched measurement everything is read back and counted; after the others the server is asked for its count (RabbitMQ: read
  back too). A measurement whose records are not all there is a failure and has no figure.
- CPU seconds are user and system of all threads, client and server apart. Memory is the highest resident size of the server during a
  measurement; Kafka's has a heap of 1 GB from the start, as its scripts set it.
- A warm-up precedes each measurement, and one short job each server.
`;
}

export function documentOf(
  results: Results,
  { plots, resultFile }: { plots: readonly PlotLink[]; resultFile: string },
): string {
  const sections: readonly [title: string, ...content: string[]][] = [
    [
      "Targets",
      "What Millrace set itself, computed from this run.\n",
      targetTable(targetsOf(results)),
    ],
    ["The machine by itself", baselineTable(results)],
    ["Produce, batched", plotImage(plots, "produce"), byPromise(results, produceColumns)],
    ["Single records", byPromise(results, singleColumns)],
    [
      "End-to-end latency",
      "Milliseconds from when a record was due until it was consumed.\n",
      plotImage(plots, "latency"),
      plotImage(plots, "idle"),
      byPromise(results, latencyColumns),
    ],
    ["Catch-up read", plotImage(plots, "consume"), table(results, defaults(), readColumns)],
    [
      "Compression",
      "MB/s of 1 KiB records before compression, each server at its default.\n",
      table(results, labelled(allSeries()), compressionColumns),
    ],
    [
      "Partitions",
      plotImage(plots, "partitions"),
      "Records of 1 KiB per second, spread evenly over so many partitions, each server at its default:\n",
      table(results, defaults(), partitionColumns(figures.producedPerSecond)),
      "The same per CPU second of client and server together:\n",
      table(results, defaults(), partitionColumns(figures.producedPerCpuSecond)),
    ],
    [
      "Connections",
      "Every connection awaits one record of 100 B at a time, each server at its default.\n",
      table(results, labelled(allSeries()), connectionColumns),
    ],
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
    .filter((section) => section.at(-1) !== "")
    .map(([title, ...content]) =>
      [`## ${title}`, "", ...content.filter((part) => part !== "")].join("\n"),
    );
  return [
    "# Benchmarks",
    "",
    "<!-- Written by `npm run bench:peers -- --report`; change bench/peers/src/report instead. -->",
    "",
    methodText(results, resultFile),
    ...body,
  ]
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n");
}
