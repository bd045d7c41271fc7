// Writes docs/benchmarks.md and its plots from a file of results.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { checkout } from "../places.js";
import { loadResults } from "../results.js";
import { documentOf, type PlotLink } from "./document.js";

interface DrawnPlot extends PlotLink {
  readonly svg: string;
}

export async function writeReport(file: string): Promise<void> {
  const results = loadResults(file);
  if (results === undefined) {
    throw new Error(`there are no results in ${file}`);
  }
  // The plotting library is large and loaded only for this.
  const specifier = "./plots.js";
  const { drawPlots } = (await import(specifier)) as {
    drawPlots: (from: typeof results) => Promise<DrawnPlot[]>;
  };
  const plots = await drawPlots(results);
  const docs = join(checkout, "docs");
  mkdirSync(join(docs, "benchmarks"), { recursive: true });
  for (const { name, svg } of plots) {
    writeFileSync(join(docs, "benchmarks", `${name}.svg`), `${svg}\n`);
  }
  const resultFile = relative(checkout, file);
  writeFileSync(join(docs, "benchmarks.md"), documentOf(results, { plots, resultFile }));
  process.stderr.write(`docs/benchmarks.md and ${plots.length} plots are written\n`);
}
