// Tables as kubectl prints them: no lines, two spaces between columns, numbers to the right. They fit the
// terminal by cutting the widest text column; in a pipe nothing is ever cut, so that grep and awk see it all.

import Table from "cli-table3";
import type { Colors } from "../terminal.js";
import { truncate } from "./text.js";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** May be cut when the table is wider than the terminal. */
  readonly isFlexible?: boolean;
  /** Left out, the last first, when the table is wider than the terminal. */
  readonly isOptional?: boolean;
  /** Applied after cutting. */
  readonly paint?: (text: string, row: Row) => string;
}

export interface TableOptions {
  readonly colors: Colors;
  /** Columns of the terminal; undefined: no limit. */
  readonly width?: number | undefined;
  readonly indent?: number;
}

const GAP = "  ";
const FLEXIBLE_WIDTH_MIN = 8;

const plainBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: GAP,
};

/** Widths of all columns after cutting flexible ones, widest first, until the table fits. */
export function fitWidths(
  natural: readonly number[],
  flexible: readonly boolean[],
  available: number | undefined,
): number[] {
  const widths = [...natural];
  if (available === undefined) {
    return widths;
  }
  const gaps = GAP.length * Math.max(0, widths.length - 1);
  let excess = widths.reduce((sum, width) => sum + width, gaps) - available;
  while (excess > 0) {
    let widest = -1;
    for (const [index, width] of widths.entries()) {
      if (flexible[index] && width > FLEXIBLE_WIDTH_MIN && width > (widths[widest] ?? 0)) {
        widest = index;
      }
    }
    const width = widths[widest];
    if (width === undefined) {
      return widths;
    }
    widths[widest] = width - 1;
    excess -= 1;
  }
  return widths;
}

function naturalWidth<Row>(rows: readonly Row[], column: Column<Row>): number {
  return rows.reduce(
    (width, row) => Math.max(width, column.value(row).length),
    column.title.length,
  );
}

/** Without the optional columns that do not fit. */
function fittingColumns<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  available: number,
): Column<Row>[] {
  const kept = [...columns];
  const width = (): number =>
    kept.reduce((sum, column) => sum + naturalWidth(rows, column) + GAP.length, -GAP.length);
  while (width() > available) {
    const last = kept.findLastIndex((column) => column.isOptional === true);
    if (last < 0) {
      break;
    }
    kept.splice(last, 1);
  }
  return kept;
}

/** The table as text, without a final line feed. */
export function renderTable<Row>(
  rows: readonly Row[],
  allColumns: readonly Column<Row>[],
  options: TableOptions,
): string {
  const indent = " ".repeat(options.indent ?? 0);
  const available = options.width === undefined ? undefined : options.width - indent.length;
  const columns =
    available === undefined ? allColumns : fittingColumns(rows, allColumns, available);
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const natural = columns.map((column) => naturalWidth(rows, column));
  const widths = fitWidths(
    natural,
    columns.map((column) => column.isFlexible === true),
    available,
  );
  const table = new Table({
    chars: plainBorders,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: columns.map((column) => column.align ?? "left"),
  });
  table.push(columns.map((column) => options.colors.bold(column.title)));
  for (const [rowIndex, row] of rows.entries()) {
    table.push(
      columns.map((column, index) => {
        const text = truncate(cells[rowIndex]?.[index] ?? "", widths[index] ?? 0);
        return column.paint === undefined ? text : column.paint(text, row);
      }),
    );
  }
  return table
    .toString()
    .split("\n")
    .map((line) => `${indent}${line}`.trimEnd())
    .join("\n");
}
