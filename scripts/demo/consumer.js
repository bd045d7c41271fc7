// The demo's consumer process: reads the topic from the beginning, checks every record against the file itself,
// and reports. A record counts once: seen before, out of order, or different from the source is a mismatch.

import { silentLogger } from "@millrace/runtime";
import { Millrace } from "millrace";
import { readSettings, report, whenDisconnectedExit } from "./child.js";
import { contentHash, idOf, readDataset } from "./dataset.js";

const REPORT_MS = 100;
const PROBLEMS_MAX = 10;

const settings = readSettings();
whenDisconnectedExit();

const records = readDataset(settings.input, settings.limit);
const seen = new Uint8Array(records.length);
/** By partition: the last id and offset read. */
const lastId = new Map();
const lastOffset = new Map();
const verdict = { received: 0, duplicated: 0, outOfOrder: 0, different: 0, unknown: 0 };
const perPartition = {};
const problems = [];

function problem(kind, text) {
  verdict[kind] += 1;
  if (problems.length < PROBLEMS_MAX) {
    problems.push(text);
  }
}

function check(record) {
  const { partition, offset } = record;
  const id = idOf(record.keyText());
  const where = `partition ${partition} offset ${offset}`;
  verdict.received += 1;
  perPartition[partition] = (perPartition[partition] ?? 0) + 1;
  if (!(id >= 0 && id < records.length)) {
    problem("unknown", `${where}: a record that was never sent`);
    return;
  }
  if (seen[id] > 0) {
    problem("duplicated", `${where}: record ${id} came before`);
  }
  if (id <= (lastId.get(partition) ?? -1) || offset <= (lastOffset.get(partition) ?? -1)) {
    problem("outOfOrder", `${where}: record ${id} after record ${lastId.get(partition)}`);
  }
  if (contentHash(record.value) !== contentHash(records[id])) {
    problem("different", `${where}: record ${id} is not what was sent`);
  }
  seen[id] = 1;
  lastId.set(partition, id);
  lastOffset.set(partition, offset);
}

// That connections break is what the demo is about; the screen tells it.
const client = new Millrace({ bootstrap: settings.url, logger: silentLogger });
const consumer = client.consumer({ topics: [settings.topic], from: "earliest" });
const startedMs = performance.now();
let firstMs;
let lastReportMs = startedMs;

const tell = (type) => {
  const nowMs = performance.now();
  lastReportMs = nowMs;
  const distinct = type === "done" ? seen.reduce((sum, mark) => sum + mark, 0) : verdict.received;
  report({
    type,
    ...verdict,
    distinct,
    perPartition,
    problems,
    elapsedMs: nowMs - (firstMs ?? startedMs),
  });
};

/** After the last record: does anything come that should not? */
let quietTimer;
const finish = new AbortController();

report({ type: "ready" });
try {
  for await (const batch of consumer.batches({ signal: finish.signal })) {
    firstMs ??= performance.now();
    for (const record of batch) {
      check(record);
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
