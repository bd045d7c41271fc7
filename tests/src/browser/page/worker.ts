// The SDK in a web worker: no document, no window. Sends one record, reads it back, says what it read.

import { Millrace } from "millrace";

interface Order {
  readonly url: string;
  readonly topic: string;
  readonly value: string;
}

async function roundTrip({ url, topic, value }: Order): Promise<string | null> {
  const client = new Millrace(url);
  try {
    await client.admin().createTopic(topic);
    await client.producer().send({ topic, value });
    for await (const record of client.consumer({ topics: [topic], from: "earliest" })) {
      return record.text();
    }
    return null;
  } finally {
    await client.close();
  }
}

addEventListener("message", ({ data }: MessageEvent<Order>) => {
  roundTrip(data).then(
    (text) => postMessage(text),
    (error: unknown) => postMessage(String(error)),
  );
});
