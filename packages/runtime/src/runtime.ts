// The seam itself: everything non-deterministic that Millrace uses, as one object that is passed in.

import type { Clock } from "./clock.ts";
import type { Compute } from "./compute.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { FileSystem } from "./file-system.ts";
import type { Logger } from "./logger.ts";
import type { ListeningNetwork, Network } from "./network.ts";
import type { Random } from "./random.ts";

/** What a client needs. Node, browsers and the simulation all provide it. */
export interface ClientRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly compute: Compute;
  readonly logger: Logger;
  readonly diagnostics: Diagnostics;
}

/** What a broker needs besides: files, and listening. Node and the simulation provide it. */
export interface ServerRuntime extends ClientRuntime {
  readonly network: ListeningNetwork;
  readonly fileSystem: FileSystem;
}
