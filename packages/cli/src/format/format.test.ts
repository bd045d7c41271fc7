import { createColors } from "picocolors";
import { describe, expect, it } from "vitest";
import { bar, resample, sparkline } from "./bar.js";
import { jsonBytes } from "./json.js";
import { formatBytes, formatCount, formatMs, formatPercent, formatTimestamp } from "./numbers.js";
import { type Column, fitWidths, renderTable } from "./table.js";
import { escapeControls, truncate } from "./text.js";

const colors = createColors(false);

describe("numbers", () => {
  it("groups thousands", () => {
    expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
  });

  it("picks the unit that keeps a size short", () => {
    expect([0, 1023, 1536, 1048576, 5e9].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "1.0 MiB",
      "4.7 GiB",
    ]);
  });

  it("keeps about three digits of a duration", () => {
    expect([0.4213, 12.34, 250.4, 1500, 65_000].map(formatMs)).toEqual([
      "0.42 ms",
      "12.3 ms",
      "250 ms",
      "1.50 s",
      "1 min 5 s",
    ]);
  });

  it("shows no date where there is none", () => {
    expect(formatTimestamp(-1)).toBe("-");
    expect(formatTimestamp(Number.MAX_SAFE_INTEGER)).toBe("-");
    expect(formatTimestamp(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(formatPercent(0.4567)).toBe("45.7 %");
  });
});

describe("text from outside", () => {
  it("cannot drive the terminal", () => {
    expect(escapeControls("a\u001b]0;title\u0007b\u0000\u009b\u202e")).toBe(
      "a\\x1b]0;title\\x07b\\x00\\x9b\\u202e",
    );
    expect(escapeControls("tab\tand line\n")).toBe("tab\tand line\n");
    expect(escapeControls("a\rb")).toBe("a\\x0db");
  });

  it("is cut with an ellipsis", () => {
    expect([truncate("abcdef", 6), truncate("abcdef", 4), truncate("abcdef", 1)]).toEqual([
      "abcdef",
      "abc…",
      "a",
    ]);
  });

  it("is text in JSON when it is UTF-8, else base64", () => {
    expect(jsonBytes(new TextEncoder().encode("naïve"))).toBe("naïve");
    expect(jsonBytes(new Uint8Array([0xff, 0xfe]))).toEqual({ base64: "//4=" });
    expect(jsonBytes(null)).toBeNull();
    expect(jsonBytes(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe("\ufeffa");
  });
});

interface Row {
  readonly name: string;
  readonly count: number;
}

const tableColumns: readonly Column<Row>[] = [
  { title: "Name", value: (row) => row.name, isFlexible: true },
  { title: "Count", value: (row) => String(row.count), align: "right" },
];

describe("tables", () => {
  const rows = [
    { name: "orders", count: 7 },
    { name: "a-rather-long-topic-name", count: 12345 },
  ];

  it("align columns without lines around them", () => {
    expect(renderTable(rows, tableColumns, { colors })).toBe(
      [
        "Name                      Count",
        "orders                        7",
        "a-rather-long-topic-name  12345",
      ].join("\n"),
    );
  });

  it("cut flexible columns only, until they fit the terminal", () => {
    const text = renderTable(rows, tableColumns, { colors, width: 20 });
    expect(text.split("\n").map((line) => line.length)).toEqual([20, 20, 20]);
    expect(text).toContain("a-rather-lon…  12345");
  });

  it("leave out optional columns before they cut", () => {
    const optional = { title: "Remark", value: () => "nothing", isOptional: true };
    const columns = [...tableColumns, optional];
    const heading = (width?: number): string =>
      renderTable(rows, columns, { colors, width }).split("\n")[0] ?? "";
    expect(heading()).toMatch(/Remark$/);
    expect(heading(40)).toMatch(/Remark$/);
    expect(heading(39)).toMatch(/Count$/);
  });

  it("give up cutting where nothing is left to cut", () => {
    expect(fitWidths([10, 10], [false, false], 5)).toEqual([10, 10]);
    expect(fitWidths([10, 10], [true, true], undefined)).toEqual([10, 10]);
  });
});

describe("bars", () => {
  it("show anything above zero", () => {
    expect(bar(0, 10)).toBe("");
    expect(bar(0.000001, 10)).toBe("▏");
    expect(bar(0.5, 10)).toBe("█████");
    expect(bar(2, 3)).toBe("███");
  });

  it("scale sparklines to the largest value", () => {
    expect(sparkline([0, 5, 10])).toBe("▁▅█");
    expect(sparkline([])).toBe("");
  });

  it("average neighbours when there are too many values", () => {
    expect(resample([1, 3, 5, 7], 2)).toEqual([2, 6]);
    expect(resample([1, 2], 5)).toEqual([1, 2]);
  });
});
