// What the test page offers to the script that drives it. Types only: both sides share them.

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** Arguments and results cross into another process: plain values only. */
export interface Harness {
  connect(url: string): void;
  createTopic(name: string): Promise<void>;
  /** Sends the numbers from `from` on, as text, and returns their offsets. */
  produce(options: {
    readonly topic: string;
    readonly from: number;
    readonly count: number;
    readonly compression: "none" | "gzip" | "snappy" | "lz4";
    /** Between two sends. 0: all at once. */
    readonly pauseMs: number;
  }): Promise<number[]>;
  /** Reads the topic from its start, for as long as the page lives. */
  startConsumer(topic: string): void;
  /** All numbers received so far, in the order they came. */
  received(): number[];
  /** Why reading ended, if it did. */
  consumerFailure(): Failure | null;
  /** What making a producer with this codec says. */
  tryCompression(codec: string): Failure | null;
  /** How the first request to the broker ends. */
  tryToReach(url: string, timeoutMs: number): Promise<Failure | null>;
  /** What a web worker read back after it sent `value`. */
  roundTripInWorker(url: string, topic: string, value: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface HarnessHost {
  readonly harness: Harness;
}
