// Readings of sensors: typed where they are sent, checked where they are read, misfits set aside.

import { pathToFileURL } from "node:url";
import { Millrace, type StandardSchema, text } from "millrace";

interface Reading {
  readonly celsius: number;
  readonly at: string;
}

/** A Standard Schema (standardschema.dev), as zod, valibot and arktype make them. */
const reading: StandardSchema<Reading> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate(value) {
      const { celsius, at } = value as Partial<Record<keyof Reading, unknown>>;
      if (typeof celsius !== "number") {
        return { issues: [{ message: "expected a number", path: ["celsius"] }] };
      }
      if (typeof at !== "string") {
        return { issues: [{ message: "expected a text", path: ["at"] }] };
      }
      return { value: { celsius, at } };
    },
  },
};

export async function main(url: string, print: (line: string) => void): Promise<void> {
  const client = new Millrace(url);
  try {
    await client.admin().createTopic("readings", { ifNotExists: true });
    await client.admin().createTopic("readings.invalid", { ifNotExists: true });
    const readings = client.topic("readings", { key: text(), value: reading });

    await readings.send({ key: "kitchen", value: { celsius: 21.5, at: "09:00" } });
    // Somebody else, without types, sends what does not fit.
    const stranger = client.producer();
    await stranger.send({ topic: "readings", key: "attic", value: '{"celsius":"warm"}' });
    const last = await readings.send({ key: "cellar", value: { celsius: 11, at: "09:01" } });

    const consumer = readings.consumer({
      from: "earliest",
      onInvalid: async (record, issues) => {
        print(`set aside ${record.keyText()}: ${issues.map(({ message }) => message).join()}`);
        await stranger.send({ topic: "readings.invalid", key: record.key, value: record.value });
      },
    });
    for await (const { key, value, offset } of consumer) {
      print(`${key}: ${value.celsius.toFixed(1)} degrees at ${value.at}`);
      if (offset >= last.offset) {
        break;
      }
    }
  } finally {
    await client.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(process.argv[2] ?? "ws://127.0.0.1:9092", console.log);
}
