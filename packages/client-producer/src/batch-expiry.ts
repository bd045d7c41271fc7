// The delivery timeout: how long after its first record a batch may try. A batch whose request is out is reported
// as lost to those who wait, but stays known, because its answer decides how the partition goes on.

import type { MillraceError } from "@millrace/protocol";
import { deliveryError } from "./delivery-errors.js";
import type { ProducerBatch } from "./producer-batch.js";

export function expiresAtMs(batch: ProducerBatch, deliveryTimeoutMs: number): number {
  return batch.createdMs + deliveryTimeoutMs;
}

export function isExpired(batch: ProducerBatch, nowMs: number, deliveryTimeoutMs: number): boolean {
  return nowMs >= expiresAtMs(batch, deliveryTimeoutMs);
}

/** Definite only when no attempt is out and none was left without a clear answer. */
export function expiryError(
  batch: ProducerBatch,
  deliveryTimeoutMs: number,
  cause: unknown,
): MillraceError {
  return deliveryError({
    code: "DELIVERY_TIMEOUT",
    message: `not acknowledged within ${deliveryTimeoutMs} ms, after ${batch.attempts} attempts`,
    cause,
    definite: !batch.hasUncertainAttempt && batch.state !== "sent",
    topic: batch.topic,
    partition: batch.partition,
  });
}
