import { describe, expect, it } from "vitest";
import { parseConsumerLine, parseProducerLine } from "./kafka-perf.js";

describe("Kafka's perf tools", () => {
  it("tell the producer's rate in the last line with figures", () => {
    const output = `250000 records sent, 49990.0 records/sec (4.77 MB/sec), 310.2 ms avg latency, 500.0 ms max latency.
1000000 records sent, 199960.0 records/sec (19.07 MB/sec), 300.51 ms avg latency, 640.00 ms max latency, 1 ms 50th.
`;
    expect(parseProducerLine(output)).toEqual({ records: 1_000_000, perSecond: 199_960 });
    expect(() => parseProducerLine("usage: kafka-producer-perf-test")).toThrow("no figures");
  });

  it("tell the consumer's records and the time it fetched, without the time of joining", () => {
    const output =
      "2026-11-21 07:00:00:000, 2026-11-21 07:00:04:000, 95.3674, 23.8, 1000000, 250000.0, 3300, 700, 136.2, 1428571.4\n";
    expect(parseConsumerLine(output)).toEqual({ records: 1_000_000, seconds: 0.7 });
    expect(() => parseConsumerLine("nothing")).toThrow("no figures");
  });
});
