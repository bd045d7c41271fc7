// Prints the greetings that are there, then those that come, until Ctrl-C.

import { Millrace } from "millrace";

const client = new Millrace(process.argv[2] ?? "ws://127.0.0.1:9092");
const consumer = client.consumer({ topics: ["greetings"], from: "earliest" });

// Closing the client ends the loop below.
process.once("SIGINT", () => client.close());

for await (const record of consumer) {
  console.log(`${record.partition}/${record.offset} ${record.keyText()}: ${record.text()}`);
}
