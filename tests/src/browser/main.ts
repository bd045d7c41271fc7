// npm run test:browser
//
// A page bundled from the SDK, in a real browser, against a real broker that is killed half way. Exit code 1 when
// a claim does not hold.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundlePage, bundleProblems, bundleSdk, bundleSize } from "./bundle.js";
import { launchChromium } from "./chromium.js";
import { exampleScenario } from "./example-scenario.js";
import { pageScenario } from "./page-scenario.js";
import { Report } from "./report.js";

const pageSource = fileURLToPath(new URL("../../src/browser/page", import.meta.url));
const exampleSource = fileURLToPath(new URL("../../../examples/browser", import.meta.url));

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

async function bundles(folder: string, report: Report): Promise<{ page: string; example: string }> {
  const [page, example, sdk] = [join(folder, "page"), join(folder, "example"), join(folder, "sdk")];
  await bundlePage(pageSource, page);
  await bundlePage(exampleSource, example);
  await bundleSdk(pageSource, sdk);
  const problems = (await Promise.all([page, example, sdk].map(bundleProblems))).flat();
  report.check(
    "the bundle holds no Node module, polyfill or eval",
    problems.length === 0,
    problems,
  );
  const { first, all } = await bundleSize(sdk, "sdk-alone");
  report.note(`the whole SDK: ${kib(first.rawBytes)} minified, ${kib(first.gzipBytes)} gzip`);
  const laterBytes = all.rawBytes - first.rawBytes;
  report.note(`codecs, loaded when they are needed: ${kib(laterBytes)} minified`);
  return { page, example };
}

async function main(): Promise<boolean> {
  const report = new Report();
  const folder = await mkdtemp(join(tmpdir(), "millrace-browser-"));
  const browser = await launchChromium();
  try {
    console.log(`browser: Chromium ${browser.version()}`);
    const { page, example } = await bundles(folder, report);
    await pageScenario({ browser, report, bundle: page, dataDirectory: join(folder, "data") });
    await exampleScenario({ browser, report, bundle: example });
  } finally {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  }
  console.log(report.summary());
  return report.isGood;
}

process.exitCode = (await main()) ? 0 : 1;
