// The demo's producer process: sends every record of the data set, in order, at a steady pace, and reports what
// is acknowledged. It never hears that the broker is killed; its client deals with that.

import { silentLogger } from "@millrace/runtime";
import { Millrace } from "millrace";
import { readSettings, report, whenDisconnectedExit } from "./child.js";
import { keyOf, readDataset } from "./dataset.js";

const TICK_MS = 5;
const REPORT_MS = 100;
/** Records sent and not yet acknowledged: with a dead broker the rest waits here, in the source. */
const IN_FLIGHT_MAX = 50_000;

const settings = readSettings();
whenDisconnectedExit();

const records = readDataset(settings.input, settings.limit);
// That connections break is what the demo is about; the screen tells it.
const client = new Millrace({ bootstrap: settings.url, logger: silentLogger });
const producer = client.producer({ lingerMs: 5, deliveryTimeoutMs: 60_000 });
await client.admin().describeCluster();

let sent = 0;
let acknowledged = 0;
let failure;
const startedMs = performance.now();
let lastReportMs = 0;

function tell(isDone = false) {
  lastReportMs = performance.now();
  report({
    type: isDone ? "done" : "progress",
    sent,
    acknowledged,
    elapsedMs: lastReportMs - startedMs,
  });
}

async function sendChunk(from, to) {
  const chunk = [];
  for (let id = from; id < to; id += 1) {
    chunk.push({ topic: settings.topic, key: keyOf(id), value: records[id] });
  }
  try {
    const acknowledgements = await producer.send(chunk);
    acknowledged += acknowledgements.length;
  } catch (error) {
    failure ??= error;
  }
}

report({ type: "ready", total: records.length });

/** The pace is a schedule, not a delay: what a pause held back is sent as soon as it can be. */
let held = 0;
while (sent < records.length && failure === undefined) {
  const nowMs = performance.now();
  const due = Math.floor(((nowMs - startedMs) / 1000) * settings.rate) - held;
  const room = IN_FLIGHT_MAX - (sent - acknowledged);
  const until = Math.min(records.length, Math.max(sent, Math.min(due, sent + room, sent + 2_000)));
  if (until > sent) {
    void sendChunk(sent, until);
    sent = until;
  } else if (due > sent) {
    // No room: the schedule stands still, so that nobody is flooded afterwards.
    held += due - sent;
  }
  if (nowMs - lastReportMs >= REPORT_MS) {
    tell();
  }
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
while (acknowledged < sent && failure === undefined) {
  tell();
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
if (failure !== undefined) {
  report({ type: "failed", message: String(failure) });
} else {
  tell(true);
}
await client.close();
process.disconnect();
