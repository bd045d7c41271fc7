// The topic a measurement uses: made for it and removed after it, or one that the user named and keeps.

import { randomUUID } from "node:crypto";
import { Admin } from "@millrace/client-admin";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import type { BenchTarget } from "./bench-target.js";

export interface BenchTopic {
  readonly name: string;
  readonly partitionCount: number;
  /** Bytes of all partitions' logs, batch headers included. */
  storedBytes(): Promise<number>;
  /** One past the last readable record, by partition. */
  endOffsets(): Promise<readonly number[]>;
  /** The first readable record, by partition. */
  startOffsets(): Promise<readonly number[]>;
}

export interface BenchTopicOptions {
  /** Undefined: a new one, removed afterwards. */
  readonly topic?: string | undefined;
  readonly partitions: number;
}

function benchTopic(admin: Admin, name: string, partitionCount: number): BenchTopic {
  const describe = () => admin.describeTopic(name);
  return {
    name,
    partitionCount,
    storedBytes: async () =>
      (await describe()).partitions.reduce((sum, { sizeBytes }) => sum + Math.max(0, sizeBytes), 0),
    endOffsets: async () => (await describe()).partitions.map(({ highWatermark }) => highWatermark),
    startOffsets: async () => (await describe()).partitions.map((row) => row.logStartOffset),
  };
}

/** Runs `measure` with the topic; one that was made here is removed, whatever happens. */
export async function withBenchTopic<Result>(
  context: CommandContext,
  target: BenchTarget,
  options: BenchTopicOptions,
  measure: (topic: BenchTopic) => Promise<Result>,
): Promise<Result> {
  return withClient(context, target.bootstrap, async (client) => {
    const admin = new Admin({ client });
    if (options.topic !== undefined) {
      const { partitions } = await client.metadata.topic(options.topic);
      return measure(benchTopic(admin, options.topic, partitions.length));
    }
    const name = `bench-${randomUUID()}`;
    await admin.createTopic(name, { partitions: options.partitions });
    try {
      return await measure(benchTopic(admin, name, options.partitions));
    } finally {
      await admin.deleteTopic(name);
    }
  });
}
