// The tables of the document as data: which columns, of which workload and figure, and which rows stand against each
// other. Pure.

import { clients, durabilities } from "../clients.js";
import { connectionCounts, partitionCounts, workloads } from "../workloads.js";
import { allSeries, type Figure, figures } from "./figures.js";
import type { Column, Row } from "./tables.js";

/** `label` is the title where the table is not around it. */
const column = (
  title: string,
  workload: string,
  figure: Figure,
  { best = "highest", label = title }: { best?: Column["best"]; label?: string } = {},
): Column => ({ title, label, workload, figure, best });

const lowest = (label: string) => ({ best: "lowest", label }) as const;

export const produceColumns: readonly Column[] = [
  column("100 B, records/s", "produce-100b", figures.producedPerSecond),
  column("1 KiB, MB/s", "produce-1kib", figures.producedMegabytes),
  column("10 KiB, MB/s", "produce-10kib", figures.producedMegabytes),
  column("client CPU s per million, 100 B", "produce-100b", figures.produceClientCpu, {
    best: "lowest",
  }),
  column("server CPU s per million, 100 B", "produce-100b", figures.produceServerCpu, {
    best: "lowest",
  }),
];

export const singleColumns: readonly Column[] = [
  column("awaited, records/s", "awaited", figures.producedPerSecond),
  column("p50 ms", "awaited", figures.callP50, lowest("awaited, p50 ms")),
  column("p99 ms", "awaited", figures.callP99, lowest("awaited, p99 ms")),
  column("1,000 on their way, records/s", "pipelined", figures.producedPerSecond),
  column("p99 ms", "pipelined", figures.callP99, lowest("1,000 on their way, p99 ms")),
];

export const latencyColumns: readonly Column[] = [
  ...[1_000, 10_000].flatMap((rate) => {
    const [name, words] = [`latency-${rate}`, `${rate.toLocaleString("en")}/s`];
    return [
      column(`${words}: p50`, name, figures.endToEndP50, lowest(`${words}, p50 ms`)),
      column("p99", name, figures.endToEndP99, lowest(`${words}, p99 ms`)),
      column("p99.9", name, figures.endToEndP999, lowest(`${words}, p99.9 ms`)),
    ];
  }),
  column("idle: p50", "idle", figures.endToEndP50, lowest("idle topic, p50 ms")),
  column("p99", "idle", figures.endToEndP99, lowest("idle topic, p99 ms")),
];

export const readColumns: readonly Column[] = [
  column("100 B, records/s", "produce-100b", figures.readPerSecond),
  column("1 KiB, MB/s", "produce-1kib", figures.readMegabytes),
  column("10 KiB, MB/s", "produce-10kib", figures.readMegabytes),
  column("client CPU s per million, 100 B", "produce-100b", figures.readClientCpu, {
    best: "lowest",
  }),
  column("server CPU s per million, 100 B", "produce-100b", figures.readServerCpu, {
    best: "lowest",
  }),
];

export const compressionColumns: readonly Column[] = workloads
  .filter(({ name }) => name.startsWith("compress-"))
  .map(({ name, title }) => {
    const words = title.replace("1 KiB ", "");
    return column(words, name, figures.producedMegabytes, { label: `${words}, MB/s` });
  });

export const partitionColumns = (figure: Figure, unit: string): Column[] =>
  partitionCounts.map((count) => {
    const title = count.toLocaleString("en");
    return column(title, `partitions-${count}`, figure, {
      label: `${title} partition${count === 1 ? "" : "s"}, ${unit}`,
    });
  });

export const connectionColumns: readonly Column[] = [
  ...connectionCounts.map((count) => {
    const title = `${count.toLocaleString("en")}, records/s`;
    return column(title, `connections-${count}`, figures.producedPerSecond, {
      label: `${count.toLocaleString("en")} connection${count === 1 ? "" : "s"}, records/s`,
    });
  }),
  column(
    "server memory for 1,000 idle, MB",
    "connections-1000",
    figures.connectionMegabytes,
    lowest("server memory for 1,000 idle connections, MB"),
  ),
];

/** Each server at its default. */
export const defaultRows = (): Row[] =>
  allSeries()
    .filter(({ client, durability }) => {
      const server = clients.find(({ name }) => name === client)?.server;
      return server !== undefined && durabilities[server][0]?.name === durability;
    })
    .map((row) => ({ ...row, title: `${row.title}, ${row.durability}` }));

/** Rows that stand in one table, and are compared with each other only. */
export interface Group {
  readonly section: string;
  /** What an acknowledgement means for all of them; undefined: it differs. */
  readonly synced?: boolean;
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
}

const byPromise = (section: string, columns: readonly Column[]): Group[] =>
  [true, false].map((synced) => ({ section, synced, rows: allSeries(synced), columns }));

const atDefaults = (section: string, columns: readonly Column[]): Group[] => [
  { section, rows: defaultRows(), columns },
];

export const groups = {
  produce: byPromise("Produce, batched", produceColumns),
  single: byPromise("Single records", singleColumns),
  latency: byPromise("End-to-end latency", latencyColumns),
  read: atDefaults("Catch-up read", readColumns),
  compression: atDefaults("Compression", compressionColumns),
  partitions: atDefaults(
    "Partitions",
    partitionColumns(figures.producedPerSecond, "records of 1 KiB/s"),
  ),
  partitionsPerCpu: atDefaults(
    "Partitions",
    partitionColumns(figures.producedPerCpuSecond, "records per CPU second"),
  ),
  connections: byPromise("Connections", connectionColumns),
} as const satisfies Record<string, readonly Group[]>;
