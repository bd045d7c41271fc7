// A broker's word to the controller that it is there, at every start. It is a record in the metadata log; on a disk
// without room for even that, the broker serves reads and deletions under the leadership it had, takes no records
// (its partitions have no epoch of this start yet), and says it again until it is written.

import type { CommandRequest, Controller } from "@millrace/controller";
import { isMillraceError } from "@millrace/protocol";
import type { Logger } from "@millrace/runtime";

export interface RegistrationOptions {
  readonly controller: Controller;
  readonly logger: Logger;
  readonly request: CommandRequest<"registerBroker">;
}

export class Registration {
  private readonly options: RegistrationOptions;
  private hasSucceeded = false;
  private wasTold = false;

  constructor(options: RegistrationOptions) {
    this.options = options;
  }

  /** Records may be taken. */
  get isDone(): boolean {
    return this.hasSucceeded;
  }

  /** Does nothing when it is done. A full disk is borne, unless this node never was registered: nobody would find it. */
  async attempt(): Promise<void> {
    const { controller, logger, request } = this.options;
    if (this.hasSucceeded) {
      return;
    }
    try {
      await controller.submit("registerBroker", request);
      this.hasSucceeded = true;
    } catch (error) {
      const isFull = isMillraceError(error) && error.code === "STORAGE_FULL";
      if (!isFull || !controller.image.brokers.has(request.nodeId)) {
        throw error;
      }
      if (!this.wasTold) {
        this.wasTold = true;
        logger.error({ error }, "the disk is full: reads and deletions only, until there is room");
      }
    }
  }
}
