// Records of a topic that keeps all of them. Each is `producer:number:filling`; numbers of one producer grow by one per
// partition.

import type { Millrace } from "millrace";
import { Ledger, type Verdict } from "./ledger.js";
import {
  type Outgoing,
  type RoundRecords,
  type TopicPlace,
  unlessRefused,
} from "./round-records.js";

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
      await unlessRefused(
        () => this.#readPartition(client, { topic, partition }, offset ?? 0),
        (reason) => this.#ledger.refused(partition, reason),
      );
    }
    return this.#ledger.verdict();
  }

  async #readPartition(
    client: Millrace,
    place: { readonly topic: string; readonly partition: number },
    endOffset: number,
  ): Promise<void> {
    const { partition } = place;
    const start = this.#ledger.nextOffset(partition);
    if (start >= endOffset) {
      return;
    }
    await using consumer = client.consumer({ partitions: [place], from: { offset: start } });
    for await (const record of consumer) {
      const [producer = "", number = ""] = (record.text() ?? "").split(":", 2);
      this.#ledger.read(partition, record.offset, producer, Number(number));
      if (record.offset >= endOffset - 1) {
        break;
      }
    }
  }
}
