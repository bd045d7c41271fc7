import { describe, expect, it } from "vitest";
import { deliveryError } from "./delivery-errors.js";
import { ProducerBatch } from "./producer-batch.js";

const place = { topic: "orders", partition: 0 };
const stored = { baseOffset: 7, logAppendTime: -1, replicas: 1, fsynced: true };

function batchOnItsWay(memory = new Uint8Array(1024)): ProducerBatch {
  const batch = new ProducerBatch(place, 0, memory);
  batch.append({ key: null, value: "a", timestamp: 0 });
  batch.attempts = 1;
  return batch;
}

describe("a batch's memory", () => {
  it("is free once its only attempt was acknowledged", () => {
    const memory = new Uint8Array(1024);
    const batch = batchOnItsWay(memory);
    batch.acknowledge(stored);
    expect(batch.takeBuffer()).toBe(memory);
  });

  it("stays its own while no answer came", () => {
    expect(batchOnItsWay().takeBuffer()).toBeUndefined();
  });

  it("stays its own after a retry: the bytes of the first attempt may still lie in a socket", () => {
    const batch = batchOnItsWay();
    batch.attempts = 2;
    batch.acknowledge(stored);
    expect(batch.takeBuffer()).toBeUndefined();
  });

  it("stays its own with acks 0: nobody told that the bytes have left", () => {
    const batch = batchOnItsWay();
    batch.acknowledge({ ...stored, baseOffset: -1, replicas: 0, fsynced: false });
    expect(batch.takeBuffer()).toBeUndefined();
  });

  it("stays its own after a failure", () => {
    const batch = batchOnItsWay();
    batch.fail(
      deliveryError({
        code: "DELIVERY_TIMEOUT",
        message: "late",
        definite: false,
        topic: "orders",
      }),
    );
    expect(batch.takeBuffer()).toBeUndefined();
  });
});
