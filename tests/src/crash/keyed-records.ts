// Records of a compacted topic: few keys, many writes, now and then a tombstone. Segments are small, every cleaning is
// due at once and tombstones go soon, so that the cleaner is at work whenever the broker dies. A record says in a header
// which write of its key it is.

import type { ConsumerRecord, Millrace } from "millrace";
import { KeyedLedger, type KeyedRecord } from "./keyed-ledger.js";
import type { Verdict } from "./ledger.js";
import {
  type Outgoing,
  type RoundRecords,
  type TopicPlace,
  unlessRefused,
} from "./round-records.js";

const KEYS_PER_PRODUCER = 8;
const TOMBSTONE_SHARE = 0.15;
const VALUE_BYTES = 180;
const NUMBER_HEADER = "number";
/** The key of the record that ends a reading: it is the newest, so no cleaning takes it away. */
const END_KEY = "end";
const value = "x".repeat(VALUE_BYTES);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class KeyedRecords implements RoundRecords {
  readonly isCompacted = true;
  readonly topicConfig = {
    "cleanup.policy": "compact",
    "segment.bytes": "8192",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
    "file.delete.delay.ms": "0",
  };
  readonly brokerConfig = {
    "log.cleaner.backoff.ms": "5",
    "log.scrub.bytes.per.second": "10000000",
  };
  readonly #random: () => number;
  readonly #ledger = new KeyedLedger();

  constructor(random: () => number) {
    this.#random = random;
  }

  next(producer: string, partition: number): Outgoing {
    const key = `${producer}-${Math.floor(this.#random() * KEYS_PER_PRODUCER)}`;
    return this.#write(partition, key, this.#random() < TOMBSTONE_SHARE);
  }

  async readBack(client: Millrace, { topic, partitions }: TopicPlace): Promise<Verdict> {
    await using producer = client.producer({ lingerMs: 0, deliveryTimeoutMs: 60_000 });
    for (let partition = 0; partition < partitions; partition++) {
      const { acknowledged, ...record } = this.#write(partition, END_KEY, false);
      await unlessRefused(
        async () => {
          const { offset } = await producer.send({ topic, partition, ...record });
          acknowledged(offset);
          await this.#readPartition(client, { topic, partition }, offset);
        },
        (reason) => this.#ledger.refused(partition, reason),
      );
    }
    return this.#ledger.verdict();
  }

  #write(partition: number, key: string, isTombstone: boolean): Outgoing {
    const number = this.#ledger.sent(partition, key, isTombstone);
    return {
      key,
      value: isTombstone ? null : value,
      headers: [{ key: NUMBER_HEADER, value: encoder.encode(String(number)) }],
      acknowledged: (offset) => this.#ledger.acknowledge(partition, { offset, key, number }),
    };
  }

  async #readPartition(
    client: Millrace,
    place: { readonly topic: string; readonly partition: number },
    lastOffset: number,
  ): Promise<void> {
    this.#ledger.beginReading(place.partition);
    await using consumer = client.consumer({ partitions: [place], from: { offset: 0 } });
    for await (const record of consumer) {
      this.#ledger.read(place.partition, keyedRecord(record));
      if (record.offset >= lastOffset) {
        break;
      }
    }
  }
}

function keyedRecord(record: ConsumerRecord): KeyedRecord {
  const number = record.headers.find(({ key }) => key === NUMBER_HEADER)?.value;
  return {
    offset: record.offset,
    key: decoder.decode(record.key ?? new Uint8Array(0)),
    number: number === undefined || number === null ? -1 : Number(decoder.decode(number)),
    isTombstone: record.value === null,
  };
}
