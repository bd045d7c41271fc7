import { describe, expect, it } from "vitest";
import {
  collectKeyValue,
  parseAcks,
  parseBytes,
  parseCount,
  parseDurationMs,
  parseHeaders,
  parsePartition,
  parsePartitions,
  parsePositiveCount,
  parseSeconds,
  parseSeparator,
  parseStartPosition,
  unescapeText,
} from "./parse.js";

describe("counts, sizes and durations", () => {
  it("reads counts with underscores and units", () => {
    expect([
      parseCount("0"),
      parseCount("1_000_000"),
      parseCount("250k"),
      parseCount("1.5M"),
    ]).toEqual([0, 1_000_000, 250_000, 1_500_000]);
  });

  it("tells 1024s from 1000s", () => {
    expect([
      parseBytes("64k"),
      parseBytes("64KiB"),
      parseBytes("64kB"),
      parseBytes("2MiB"),
    ]).toEqual([65_536, 65_536, 64_000, 2_097_152]);
  });

  it("reads durations as milliseconds unless they say otherwise", () => {
    expect([parseDurationMs("250"), parseDurationMs("1.5s"), parseDurationMs("2h")]).toEqual([
      250, 1_500, 7_200_000,
    ]);
    expect([parseSeconds("10"), parseSeconds("2.5"), parseSeconds("500ms")]).toEqual([
      10, 2.5, 0.5,
    ]);
  });

  it.each(["", "-1", "1x", "1e9", "ten", "1.2.3", "9999999999999999999"])(
    "refuses %j as a count",
    (text) => {
      expect(() => parseCount(text)).toThrow(/Expected/);
    },
  );

  it("refuses nothing at all where at least one is needed", () => {
    expect(() => parsePositiveCount("0")).toThrow(/1 or more/);
    expect(() => parseSeconds("0")).toThrow(/more than 0/);
  });

  it("refuses a partition that is not a number from 0 on", () => {
    expect(parsePartition("3")).toBe(3);
    expect(() => parsePartition("-1")).toThrow();
    expect(() => parsePartition("1.5")).toThrow();
  });
});

describe("start positions", () => {
  it("reads every form", () => {
    expect(parseStartPosition("earliest")).toBe("earliest");
    expect(parseStartPosition("latest")).toBe("latest");
    expect(parseStartPosition("offset:42")).toEqual({ offset: 42 });
    expect(parseStartPosition("last:10")).toEqual({ last: 10 });
    expect(parseStartPosition("timestamp:1700000000000")).toEqual({ timestamp: 1_700_000_000_000 });
    expect(parseStartPosition("timestamp:2026-01-31T12:00:00Z")).toEqual({
      timestamp: Date.UTC(2026, 0, 31, 12),
    });
  });

  it.each(["", "beginning", "offset:", "offset:-1", "offset:x", "last:1.5", "timestamp:soon"])(
    "refuses %j and says which forms there are",
    (text) => {
      expect(() => parseStartPosition(text)).toThrow(/earliest, latest, offset:N/);
    },
  );
});

describe("other values", () => {
  it("collects key=value pairs and keeps what follows the first equals sign", () => {
    const first = collectKeyValue("retention.ms=1000");
    expect(collectKeyValue("a=b=c", first)).toEqual({ "retention.ms": "1000", a: "b=c" });
    expect(() => collectKeyValue("=x")).toThrow(/KEY=VALUE/);
    expect(() => collectKeyValue("retention.ms")).toThrow(/KEY=VALUE/);
  });

  it("knows the three acks", () => {
    expect(["0", "1", "all", "-1"].map(parseAcks)).toEqual([0, 1, "all", "all"]);
    expect(() => parseAcks("2")).toThrow(/0, 1 or all/);
  });

  it("unescapes what a shell leaves alone", () => {
    expect(unescapeText("a\\tb\\n\\\\n\\q")).toBe("a\tb\n\\n\\q");
    expect(parseSeparator("\\t")).toBe("\t");
    expect(() => parseSeparator("")).toThrow();
  });
});

describe("positions back from now, dates, partition lists and headers", () => {
  it("counts durations back from now and takes dates as they are", () => {
    expect(parseStartPosition("10m", 1_000_000)).toEqual({ timestamp: 400_000 });
    expect(parseStartPosition("7d", 1_000)).toEqual({ timestamp: 0 });
    expect(parseStartPosition("1970-01-01T00:00:01Z")).toEqual({ timestamp: 1_000 });
    for (const text of ["10", "m", "2026-13-01", "offset:", "offset:-1", "yesterday"]) {
      expect(() => parseStartPosition(text), text).toThrow(/Expected/);
    }
  });

  it("reads lists and ranges of partitions, each once and in order", () => {
    expect(parsePartitions("5-7,0,6")).toEqual([0, 5, 6, 7]);
    expect(parsePartitions("1", [3])).toEqual([1, 3]);
    for (const text of ["", "a", "3-1", "0-999999999", "-1"]) {
      expect(() => parsePartitions(text), text).toThrow(/Expected/);
    }
  });

  it("reads headers, with a backslash before what is meant literally", () => {
    expect(parseHeaders("a=b,c=d=e,f", [{ key: "z", value: "" }])).toEqual([
      { key: "z", value: "" },
      { key: "a", value: "b" },
      { key: "c", value: "d=e" },
      { key: "f", value: null },
    ]);
    expect(parseHeaders("a\\=b=c\\,d")).toEqual([{ key: "a=b", value: "c,d" }]);
    expect(() => parseHeaders("=x")).toThrow(/Expected/);
  });
});
