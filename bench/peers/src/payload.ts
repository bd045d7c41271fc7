// What the records hold, the same bytes for every peer: from a seeded generator, so that every run and every
// client sends the same. `random` does not compress; `json` looks like an order and does. Pure.

export type Content = "random" | "json";

/** Distinct records that take turns; bounded in bytes, so that the cache of the CPU sees the same for all sizes. */
const POOL_BYTES = 4 * 1024 * 1024;
const POOL_RECORDS_MAX = 2_048;
/** Bytes at the start of a record that carry a number in the latency workloads. */
export const MARK_BYTES = 8;

/** xorshift32: enough for bytes that do not compress. */
function generator(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function randomRecord(bytes: number, next: () => number): Uint8Array {
  const record = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index++) {
    record[index] = next() & 0xff;
  }
  return record;
}

const cities = ["Berlin", "Lisbon", "Nairobi", "Osaka", "Quito", "Tallinn"];
const states = ["created", "paid", "packed", "shipped", "delivered"];

function jsonOrder(next: () => number): string {
  const pick = (from: readonly string[]): string => from[next() % from.length] ?? "";
  const order = {
    orderId: 1_000_000 + (next() % 9_000_000),
    customerId: `c-${next() % 100_000}`,
    status: pick(states),
    city: pick(cities),
    amountCents: next() % 100_000,
    createdAt: 1_750_000_000_000 + (next() % 1_000_000_000),
  };
  return JSON.stringify(order);
}

function jsonRecord(bytes: number, next: () => number): Uint8Array {
  let text = jsonOrder(next);
  while (text.length < bytes) {
    text += `\n${jsonOrder(next)}`;
  }
  return new TextEncoder().encode(text.slice(0, bytes));
}

/** Distinct records of exactly `bytes` bytes each. */
export function createPayloads(content: Content, bytes: number): Uint8Array[] {
  const next = generator(0x5eed + bytes);
  const count = Math.max(1, Math.min(POOL_RECORDS_MAX, Math.floor(POOL_BYTES / bytes)));
  const make = content === "json" ? jsonRecord : randomRecord;
  return Array.from({ length: count }, () => make(bytes, next));
}

/** A copy of `record` that carries `mark` in its first bytes. */
export function markPayload(record: Uint8Array, mark: number): Uint8Array {
  const marked = new Uint8Array(record);
  new DataView(marked.buffer).setFloat64(0, mark);
  return marked;
}

export function readMark(record: Uint8Array): number {
  return new DataView(record.buffer, record.byteOffset, MARK_BYTES).getFloat64(0);
}
