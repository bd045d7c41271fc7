import { describe, expect, it } from "vitest";
import { diskResult, rates } from "./bench-result.js";
import { LatencyRecorder } from "./latency-recorder.js";
import { createPayloads, markPayload, readMark } from "./payloads.js";
import { RateSamples } from "./rate-samples.js";
import { spreadOf } from "./spread.js";

describe("latencies", () => {
  it("have no summary before anything is recorded", () => {
    expect(new LatencyRecorder().summary()).toBeNull();
    expect(new LatencyRecorder().buckets()).toEqual([]);
  });

  it("weigh a batch by its records", () => {
    const recorder = new LatencyRecorder();
    recorder.record(1, 990);
    recorder.record(50, 10);
    const summary = recorder.summary();
    expect(summary?.p50).toBeCloseTo(1, 1);
    expect(summary?.p99).toBeCloseTo(1, 1);
    expect(summary?.p999).toBeCloseTo(50, 0);
    expect(summary?.max).toBeCloseTo(50, 0);
  });

  it("fall into buckets that double and cover every record", () => {
    const recorder = new LatencyRecorder();
    for (const milliseconds of [0.0001, 0.003, 0.9, 1.1, 30]) {
      recorder.record(milliseconds);
    }
    const buckets = recorder.buckets();
    expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(5);
    expect(buckets[0]).toMatchObject({ fromMs: 0, count: 1 });
    expect(buckets.at(-1)?.toMs).toBeGreaterThan(30);
  });
});

describe("payloads", () => {
  it("are of the asked size, printable, and differ", () => {
    const payloads = createPayloads(100);
    expect(new Set(payloads.map((payload) => payload.join())).size).toBe(payloads.length);
    expect(payloads.every((payload) => payload.length === 100)).toBe(true);
    expect(payloads[0]?.every((byte) => byte >= 0x20 && byte < 0x7f)).toBe(true);
  });

  it("carry a number there and back, and only marked ones do", () => {
    for (const number of [0, 1, 0xffffffff, 0x100000000, 2 ** 48 - 1]) {
      expect(readMark(markPayload(100, number))).toBe(number);
    }
    expect(
      createPayloads(100)
        .map(readMark)
        .filter((mark) => mark !== undefined),
    ).toEqual([]);
    expect(readMark(new Uint8Array(3))).toBeUndefined();
  });
});

describe("rates and ratios", () => {
  it("take the median and the spread", () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spreadOf([])).toBeNull();
  });

  it("compare each part's stored bytes with the disk alone right before and after it", () => {
    const parts = [
      { storedBytes: 100e6, seconds: 1, baselineBefore: 150, baselineAfter: 250 },
      { storedBytes: 25e6, seconds: 0.5, baselineBefore: 250, baselineAfter: 150 },
      { storedBytes: 150e6, seconds: 2, baselineBefore: 150, baselineAfter: 50 },
    ];
    expect(diskResult(parts)).toEqual({
      diskRatio: 0.5,
      disk: {
        baselineMegabytesPerSecond: { median: 150, min: 50, max: 250 },
        storedMegabytesPerSecond: 78.57,
        ratio: { median: 0.5, min: 0.25, max: 0.75 },
        slices: 4,
      },
    });
    expect(diskResult([])).toEqual({ disk: null, diskRatio: null });
  });

  it("count payload bytes in megabytes of 10^6", () => {
    expect(rates({ records: 1_000_000, recordBytes: 100, seconds: 2 })).toEqual({
      seconds: 2,
      recordsPerSecond: 500_000,
      megabytesPerSecond: 50,
    });
  });

  it("do not count a pause as a slow interval", () => {
    const samples = new RateSamples();
    samples.add(0, 0);
    samples.add(250, 250);
    samples.pause();
    samples.add(0, 5_000);
    samples.add(250, 5_250);
    expect(samples.samples).toEqual([1000, 1000]);
  });
});
