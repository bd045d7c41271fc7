// The text of a WebSocket close frame, which holds 123 bytes of UTF-8 (RFC 6455, section 5.5).

import { createTextEncoder } from "./platform.js";

const MAX_REASON_BYTES = 123;

/** `reason`, cut at a character so that it fits into a close frame. */
export function closeReasonText(reason: string): string {
  const target = new Uint8Array(MAX_REASON_BYTES);
  const { read } = createTextEncoder().encodeInto(reason, target);
  return reason.slice(0, read);
}
