// Remembers which cluster a client talks to. The first node that answers decides; a node of another cluster
// is refused from then on, because offsets and topic ids of one mean nothing in another.

import { MillraceError } from "@millrace/protocol";
import { printable } from "@millrace/runtime";

export class ClusterIdentity {
  #clusterId: string | null = null;

  /** null until a node has answered. */
  get clusterId(): string | null {
    return this.#clusterId;
  }

  /** @throws MillraceError `INCONSISTENT_CLUSTER_ID` */
  check(clusterId: string, url: string): void {
    this.#clusterId ??= clusterId;
    if (this.#clusterId !== clusterId) {
      const expected = printable(this.#clusterId);
      throw new MillraceError(
        "INCONSISTENT_CLUSTER_ID",
        `${url} belongs to cluster ${printable(clusterId)}, but this client talks to ${expected}; create a new client to change clusters`,
        { details: { url, clusterId, expected: this.#clusterId } },
      );
    }
  }
}
