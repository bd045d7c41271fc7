// What a caller says about one request, and what it gets back. Types only.

import type { ApiName, NodeId, ResponseOf } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";

/**
 * Where a request goes: to one node, to whichever node answers first, or to the active controller.
 */
export type Target = { readonly nodeId: NodeId } | "any" | "controller";

export interface RequestOptions {
  /** Record batches that travel behind the body; not copied, so they must not change until the answer. */
  readonly records?: readonly Uint8Array[] | undefined;
  /** From the call to the answer, connecting included. Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /**
   * Each channel to a node is a connection of its own, so that a long poll on one never holds up another.
   * Requests of one channel to one node are sent in call order. Default `"default"`.
   */
  readonly channel?: Channel | undefined;
}

export type Channel = "default" | "fetch" | "heartbeat" | (string & {});

export interface Answer<Name extends ApiName> {
  readonly body: ResponseOf<Name>;
  /** The byte string behind the body, empty when there is none. */
  readonly records: Uint8Array;
}

export interface WaitOptions {
  readonly signal?: AbortSignalLike | undefined;
}
