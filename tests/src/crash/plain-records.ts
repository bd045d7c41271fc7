// Records of a topic that keeps all of them. Each is `producer:number:filling`; numbers of one producer grow by one per
// partition.

import type { Millrace } from "millrace";
import { Ledger, type Verdict } from "./ledger.js";
import type { Outgoing, RoundRecords, TopicPlace } from "./round-records.js";

const RECORD_BYTES = 200;
const filling = "x".repeat(RECORD_BYTES - 16);

export class PlainRecords implements RoundRecords {
  readonly isCompacted = false;
  readonly topicConfig = { "segment.bytes": "131072" };
  readonly brokerConfig = { "log.scrub.bytes.per.second": "10000000" };
  readonly #ledger = new Ledger();
  readonly #numbers = new Map<string, number>();

  next(producer: string, partition: number): Outgoing {
    const place = `${producer}/${partition}`;
    const number = this.#numbers.get(place) ?? 0;
    this.#numbers.set(place, number + 1);
    this.#ledger.sent(partition, producer, number);
    return {
      key: null,
      value: `${producer}:${number}:${filling}`,
      acknowledged: (offset) => this.#ledger.acknowledge(partition, offset, producer, number),
    };
  }

  /** Goes on where the last reading ended: what was read is there for good. */
  async readBack(client: Millrace, { topic }: TopicPlace): Promise<Verdict> {
    const ends = await client.admin().listOffsets(topic, "latest");
    for (const { partition, offset } of ends) {
      const end = offset ?? 0;
      const start = this.#ledger.nextOffset(partition);
      if (start >= end) {
        continue;
      }
      const from = { offset: start };
      const consumer = client.consumer({ partitions: [{ topic, partition }], from });
      for await (const record of consumer) {
        const [producer = "", number = ""] = (record.text() ?? "").split(":", 2);
        this.#ledger.read(partition, record.offset, producer, Number(number));
        if (record.offset >= end - 1) {
          break;
        }
      }
      await consumer.close();
    }
    return this.#ledger.verdict();
  }
}
