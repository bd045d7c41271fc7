import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  emptyResults,
  isDone,
  loadResults,
  type Measurement,
  record,
  saveResults,
} from "./results.js";

const machine = {
  cpu: "a CPU",
  cores: 2,
  memoryBytes: 1,
  kernel: "Linux",
  fileSystem: "ext4",
  node: "v20",
};
const place = { client: "kafkajs", durability: "default", workload: "produce-100b", run: 1 };
const answer = { acknowledged: 1, stored: 1, storedBy: "reading" } as const;
const measured: Measurement = { ...place, at: "2026-01-01T00:00:00Z", answer };
const folder = mkdtempSync(join(tmpdir(), "results-"));

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("results", () => {
  it("go on where they stopped: what has an answer is done, a failure is not", () => {
    const results = emptyResults(machine);
    record(results, { ...place, at: "2026-01-01T00:00:00Z", failure: "it ended" });
    expect(isDone(results, place)).toBe(false);
    record(results, measured);
    expect(isDone(results, place)).toBe(true);
    expect(isDone(results, { ...place, run: 2 })).toBe(false);
    expect(results.measurements).toEqual([measured]);
  });

  it("come back from their file as they were", () => {
    const file = join(folder, "deeper", "results.json");
    const results = emptyResults(machine);
    record(results, measured);
    saveResults(file, results);
    expect(loadResults(file)).toEqual(results);
    expect(loadResults(join(folder, "none.json"))).toBeUndefined();
  });

  it("of another format are refused", () => {
    const file = join(tmpdir(), `results-${process.pid}.json`);
    writeFileSync(file, '{"format":99}');
    expect(() => loadResults(file)).toThrow("format 99");
    rmSync(file);
  });
});
