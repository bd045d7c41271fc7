// The part of the WHATWG WebSocket that is used, so that another class of the same shape can stand in.

export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

/** `WebSocket.OPEN`. */
export const OPEN = 1;
