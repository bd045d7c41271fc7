// What both ends tell ws, and the few private fields of it that are touched.

import type { WebSocket } from "ws";

/** Bytes may come in small pieces, but not one by one: each piece costs ws an object. */
const MAX_BUFFERED_CHUNKS = 64 * 1024;
/** Our own messages are one fragment each. */
const MAX_FRAGMENTS = 1_024;
/** How long the peer may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 5_000;

/** After this much silence the kernel probes whether the peer's machine is still there. */
export const KEEP_ALIVE_DELAY_MS = 30_000;

export const webSocketOptions = {
  perMessageDeflate: false,
  maxBufferedChunks: MAX_BUFFERED_CHUNKS,
  maxFragments: MAX_FRAGMENTS,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const;

/**
 * Changes ws's message limit on an open connection. ws takes it at the start only; the field is private, so
 * the contract case "raises and lowers the limit of one connection" fails when an upgrade of ws renames it.
 * FrameMeter counts against the same limit as a second line: a message that ws let through is cut there.
 */
export function setReceiverLimit(webSocket: WebSocket, maxMessageBytes: number): void {
  const { _receiver: receiver } = webSocket as unknown as { _receiver?: { _maxPayload?: number } };
  if (receiver !== undefined) {
    // 0 would mean "no limit" to ws.
    receiver._maxPayload = Math.max(1, Math.floor(maxMessageBytes));
  }
}

/**
 * Lets go of what ws has gathered of an unfinished message. A socket that is destroyed stays reachable, with all of
 * that, until the event loop has finished its round, in which a thousand others may deliver as much again. ws has
 * no call for it; should an upgrade rename the fields, the memory is freed a round later as before.
 */
export function dropUnfinishedMessage(webSocket: WebSocket): void {
  const { _receiver: receiver } = webSocket as unknown as {
    _receiver?: { _buffers?: unknown; _bufferedBytes?: unknown; _fragments?: unknown };
  };
  if (receiver !== undefined) {
    receiver._buffers = [];
    receiver._bufferedBytes = 0;
    receiver._fragments = [];
  }
}
