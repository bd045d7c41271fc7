// A chat of one topic: the form sends a record, the list shows every record that arrives.

import { Millrace } from "millrace";

const TOPIC = "chat";
const broker = new URLSearchParams(location.search).get("broker") ?? "ws://127.0.0.1:9092";
const status = document.querySelector("#status");
const list = document.querySelector("#records");
const form = document.querySelector("form");

const client = new Millrace(broker);
await client.admin().createTopic(TOPIC, { ifNotExists: true });
status.textContent = `connected to ${broker}`;

const producer = client.producer();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = new FormData(form).get("text");
  form.reset();
  try {
    const { offset } = await producer.send({ topic: TOPIC, value: text });
    status.textContent = `stored at offset ${offset}`;
  } catch (error) {
    status.textContent = String(error);
  }
});

for await (const record of client.consumer({ topics: [TOPIC], from: { last: 20 } })) {
  const item = document.createElement("li");
  item.value = record.offset;
  item.textContent = record.text();
  list.append(item);
}
