// Reads orders, writes invoices, each exactly once, until it is told to stop.

import { Millrace } from "millrace";
import { invoiceOf } from "./invoice.js";

const client = new Millrace(process.argv[2] ?? "ws://127.0.0.1:9092");

/** The last invoice tells which order it was for: the next one is where to go on. */
async function nextOrder() {
  const [invoices] = await client.admin().listOffsets("invoices", "latest");
  if (!invoices?.offset) {
    return 0;
  }
  for await (const record of client.consumer({ topics: ["invoices"], from: { last: 1 } })) {
    return record.json().orderOffset + 1;
  }
}

async function run() {
  await client.admin().createTopic("orders", { partitions: 1, ifNotExists: true });
  await client.admin().createTopic("invoices", { partitions: 1, ifNotExists: true });
  const start = await nextOrder();
  console.log(`going on at order ${start}`);
  const producer = client.producer();
  const orders = client.consumer({ topics: ["orders"], from: { offset: start } });
  // Closing ends the wait for the next order; the one at hand is finished first.
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => orders.close());
  }
  let written = 0;
  for await (const record of orders) {
    const invoice = invoiceOf(record.json(), record.offset);
    await producer.send({ topic: "invoices", key: invoice.order, value: JSON.stringify(invoice) });
    written++;
  }
  return written;
}

try {
  console.log(`stopped after ${await run()} invoices`);
} finally {
  await client.close();
}
