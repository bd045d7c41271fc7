// Producer ids for this broker's clients, drawn from the controller in blocks, so that most requests need no
// metadata change. A block that is not used up at a stop is lost, never reused.

import type { Controller, ProducerIdBlock } from "@millrace/controller";
import type { ProducerId } from "@millrace/protocol";

export class ProducerIds {
  private readonly controller: Controller;
  private next: ProducerId = 0;
  private end: ProducerId = 0;
  /** The block being drawn; everybody who needs one waits for the same. */
  private drawing: Promise<ProducerIdBlock> | undefined;

  constructor(controller: Controller) {
    this.controller = controller;
  }

  /** An id nobody had before. @throws MillraceError when the controller cannot give a block. */
  async allocate(): Promise<ProducerId> {
    while (this.next === this.end) {
      await this.drawBlock();
    }
    const id = this.next;
    this.next += 1;
    return id;
  }

  private async drawBlock(): Promise<void> {
    if (this.drawing !== undefined) {
      await this.drawing;
      return;
    }
    this.drawing = this.controller.submit("allocateProducerIds", {
      nodeId: this.controller.nodeId,
    });
    try {
      const block = await this.drawing;
      this.next = block.firstProducerId;
      this.end = block.firstProducerId + block.size;
    } finally {
      this.drawing = undefined;
    }
  }
}
