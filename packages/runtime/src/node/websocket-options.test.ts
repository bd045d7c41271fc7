import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { dropUnfinishedMessage } from "./websocket-options.js";

/** Exported by ws, though not by its types. */
const { Receiver } = ws as unknown as {
  readonly Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
  }) => NodeJS.WritableStream;
};

interface ReceiverState {
  readonly _buffers: readonly Uint8Array[];
  readonly _bufferedBytes: number;
  readonly _fragments: readonly Uint8Array[];
}

/** A receiver of ws that holds a whole fragment and the beginning of the next. */
function halfReceived(): { webSocket: ws.WebSocket; state: ReceiverState } {
  const receiver = new Receiver({ isServer: true, maxPayload: 1_000_000 });
  const mask = [0, 0, 0, 0];
  const fragment = Buffer.concat([Buffer.from([0x02, 0x80 | 100, ...mask]), Buffer.alloc(100)]);
  const next = Buffer.concat([Buffer.from([0x80, 0x80 | 120, ...mask]), Buffer.alloc(50)]);
  receiver.write(fragment);
  receiver.write(next);
  return {
    webSocket: { _receiver: receiver } as unknown as ws.WebSocket,
    state: receiver as unknown as ReceiverState,
  };
}

describe("dropUnfinishedMessage", () => {
  it("frees what ws has gathered; this fails when an upgrade of ws renames the fields", () => {
    const { webSocket, state } = halfReceived();
    expect(state._buffers.length).toBeGreaterThan(0);
    expect(state._bufferedBytes).toBe(50);
    expect(state._fragments).toHaveLength(1);
    dropUnfinishedMessage(webSocket);
    expect(state._buffers).toEqual([]);
    expect(state._bufferedBytes).toBe(0);
    expect(state._fragments).toEqual([]);
  });

  it("does nothing to a connection that has no receiver yet", () => {
    expect(() => dropUnfinishedMessage({} as ws.WebSocket)).not.toThrow();
  });
});
