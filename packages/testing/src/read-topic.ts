// Reads a topic from its first to its last record of this moment, for assertions.

import type { ConsumerRecord, Millrace } from "millrace";

/** By partition, then by offset. The records are copies: they may be kept. */
export async function readTopic(client: Millrace, topic: string): Promise<ConsumerRecord[]> {
  const [starts, ends] = await Promise.all([
    client.admin().listOffsets(topic, "earliest"),
    client.admin().listOffsets(topic, "latest"),
  ]);
  const open = new Map<number, number>();
  for (const { partition, offset } of ends) {
    const start = starts.find((one) => one.partition === partition)?.offset ?? 0;
    if (offset !== null && offset > start) {
      open.set(partition, offset);
    }
  }
  const records: ConsumerRecord[] = [];
  if (open.size === 0) {
    return records;
  }
  await using consumer = client.consumer({
    partitions: [...open.keys()].map((partition) => ({ topic, partition })),
    from: "earliest",
  });
  for await (const record of consumer) {
    const end = open.get(record.partition);
    if (end !== undefined && record.offset < end) {
      records.push(record.copy());
    }
    if (end !== undefined && record.offset >= end - 1) {
      open.delete(record.partition);
    }
    if (open.size === 0) {
      break;
    }
  }
  return records.sort(
    (left, right) => left.partition - right.partition || left.offset - right.offset,
  );
}
