// The example's page as its users see it: they type, they read, in two tabs.

import { createTestBroker } from "@millrace/testing";
import type { Browser } from "playwright-core";
import { Complaints } from "./chromium.js";
import type { Report } from "./report.js";
import { StaticServer } from "./static-server.js";

export interface ExampleOptions {
  readonly browser: Browser;
  readonly report: Report;
  /** The folder with the bundled page. */
  readonly bundle: string;
}

export async function exampleScenario(options: ExampleOptions): Promise<void> {
  const { browser, report, bundle } = options;
  await using broker = await createTestBroker();
  await using server = await StaticServer.start(bundle);
  server.connectTo = broker.url;
  const address = `http://127.0.0.1:${server.port}/?broker=${broker.url}`;
  const [one, other] = [await browser.newPage(), await browser.newPage()];
  const complaints = [one, other].map((page) => new Complaints(page));
  for (const page of [one, other]) {
    await page.goto(address);
    await page.locator("#status", { hasText: "connected" }).waitFor();
  }
  for (const [page, text] of [
    [one, "hello"],
    [other, "hello yourself"],
  ] as const) {
    await page.getByLabel("Say").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator("#status", { hasText: "stored at offset" }).waitFor();
  }
  for (const page of [one, other]) {
    await page.locator("#records li").nth(1).waitFor();
  }
  const lists = await Promise.all(
    [one, other].map((page) => page.locator("#records li").allTextContents()),
  );
  const isFine = lists.every((list) => list.join() === "hello,hello yourself");
  report.check("examples/browser: two tabs read what each of them sent", isFine, lists);
  const records = (await broker.records("chat")).map((record) => record.text());
  report.check("and the broker has it", records.join() === "hello,hello yourself", records);
  const all = complaints.flatMap((complaint) => complaint.all);
  report.check("its pages printed no error", all.length === 0, all);
  await Promise.all([one.close(), other.close()]);
}
