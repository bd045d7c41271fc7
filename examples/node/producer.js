// Creates a topic, sends ten greetings, and says where each one is stored.

import { Millrace } from "millrace";

const client = new Millrace(process.argv[2] ?? "ws://127.0.0.1:9092");
try {
  await client.admin().createTopic("greetings", { partitions: 3, ifNotExists: true });
  const producer = client.producer();
  const people = ["Ada", "Blaise", "Charles", "Grace", "Edsger"];
  // Any number of sends may be on their way at once; records of one key keep their order.
  const sent = await Promise.all(
    Array.from({ length: 10 }, (_, index) => {
      const person = people[index % people.length];
      return producer.send({ topic: "greetings", key: person, value: `Hello ${person}, ${index}` });
    }),
  );
  for (const { partition, offset, fsynced } of sent) {
    console.log(`partition ${partition}, offset ${offset}, ${fsynced ? "on disk" : "written"}`);
  }
} finally {
  await client.close();
}
