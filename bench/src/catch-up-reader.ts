// The consumer of catch-up.ts, in a process of its own: reads the range it is told, and says how fast and at what cost.

import { Millrace } from "millrace";

export interface ReadOrder {
  readonly topic: string;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Go through every record, not only through the batches. */
  readonly iterate: boolean;
}

export interface ReadReport {
  readonly records: number;
  readonly valueBytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMegabytes: number;
}

async function read(client: Millrace, order: ReadOrder): Promise<ReadReport> {
  const { topic, from, to, iterate } = order;
  const consumer = client.consumer({ partitions: [{ topic, partition: 0, offset: from }] });
  await consumer.ready();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let records = 0;
  let valueBytes = 0;
  for await (const batch of consumer.batches()) {
    records += batch.recordCount;
    if (iterate) {
      for (const record of batch) {
        valueBytes += record.value?.length ?? 0;
      }
    }
    if (batch.lastOffset >= to - 1) {
      break;
    }
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await consumer.close();
  const residentMegabytes = process.memoryUsage.rss() / 1e6;
  return { records, valueBytes, seconds, cpuSeconds: (user + system) / 1e6, residentMegabytes };
}

const client = new Millrace(process.argv[2] ?? "");
process.on("message", (order: ReadOrder) => {
  read(client, order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.once("disconnect", () => void client.close());
