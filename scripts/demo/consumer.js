// The demo's consumer process: reads the topic from the beginning, checks every record against the file itself,
// and reports. A record counts once: seen before, out of order, or different from the source is a mismatch.

import { silentLogger } from "@millrace/runtime";
import { Millrace } from "millrace";
import { readSettings, report, whenDisconnectedExit } from "./child.js";
import { idOf, readDataset } from "./dataset.js";
import { Verdict } from "./verdict.js";

const REPORT_MS = 100;

const settings = readSettings();
whenDisconnectedExit();

const records = readDataset(settings.input, settings.limit);
const verdict = new Verdict(records);

// That connections break is what the demo is about; the screen tells it.
const client = new Millrace({ bootstrap: settings.url, logger: silentLogger });
const consumer = client.consumer({ topics: [settings.topic], from: "earliest" });
const startedMs = performance.now();
let firstMs;
let lastReportMs = startedMs;

const tell = (type) => {
  const nowMs = performance.now();
  lastReportMs = nowMs;
  report({ type, ...verdict.summary(), elapsedMs: nowMs - (firstMs ?? startedMs) });
};

/** After the last record: does anything come that should not? */
let quietTimer;
const finish = new AbortController();

report({ type: "ready" });
try {
  for await (const batch of consumer.batches({ signal: finish.signal })) {
    firstMs ??= performance.now();
    for (const record of batch) {
      const { partition, offset, value } = record;
      verdict.add({ partition, offset, value, id: idOf(record.keyText() ?? "") });
    }
    if (performance.now() - lastReportMs >= REPORT_MS) {
      tell("progress");
    }
    if (verdict.received >= records.length) {
      tell("progress");
      clearTimeout(quietTimer);
      quietTimer = setTimeout(() => finish.abort(), settings.quietMs);
    }
  }
} catch (error) {
  if (!finish.signal.aborted) {
    report({ type: "failed", message: String(error) });
  }
}
tell("done");
await client.close();
process.disconnect();
