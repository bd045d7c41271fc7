// What the harness tells a client process to do, and what that answers: the contract between the two, for drivers in
// any language. The job is one JSON argument; the answer is one line of JSON on standard output.

import type { LatencySummary } from "./statistics.js";
import type { Workload } from "./workloads.js";

export interface Job {
  readonly client: string;
  /** `host:port`, or a URL for Millrace. */
  readonly address: string;
  /** Processes whose CPU time counts as the server's. */
  readonly serverPids: readonly number[];
  /** New for each job. */
  readonly topic: string;
  /** The server's setting, by its name in the tables. */
  readonly durability: string;
  /** On the disk of the server's data; emptied afterwards. */
  readonly scratchDirectory: string;
  /** Configuration of the topic, where durability is the topic's affair. */
  readonly topicConfig: Readonly<Record<string, string>>;
  readonly workload: Workload;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly batchBytes: number;
  readonly batchesInFlight: number;
  readonly recordsInFlight: number;
  readonly lingerMs: number;
  readonly maxBytes: number;
  /** The distinct records one after the other, for drivers in other languages. */
  readonly payloadFile: string;
}

/** One measured stretch of work. CPU seconds are user and system, of all threads. */
export interface Phase {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly clientCpuSeconds: number;
  readonly serverCpuSeconds: number;
  readonly latencyMs?: LatencySummary;
}

export interface DiskPart {
  /** Content of the records, without what the format adds. */
  readonly megabytesPerSecond: number;
  readonly diskBefore: number;
  readonly diskAfter: number;
}

export interface JobAnswer {
  /** From the first record offered until the last one acknowledged, warm-up excluded. */
  readonly produce?: Phase;
  /** Everything read back from the start. */
  readonly consume?: Phase;
  /** From when a record was due until it was consumed, or acknowledged. */
  readonly endToEndMs?: LatencySummary;
  readonly acknowledgedMs?: LatencySummary;
  /** Parts of the load, each with the disk by itself right before and after it. */
  readonly diskParts?: readonly DiskPart[];
  /** Resident bytes of the server: before the connections, and with all of them idle. */
  readonly connectionMemory?: { readonly beforeBytes: number; readonly idleBytes: number };
  /** Records acknowledged by the server in this job, warm-up included. */
  readonly acknowledged: number;
  /** Records found in the topic afterwards: by reading them all, or by the server's own count. */
  readonly stored: number;
  readonly storedBy: "reading" | "counting";
}
