// The seam itself: everything non-deterministic that Millrace uses, as one object that is passed in.

import type { Clock } from "./clock.js";
import type { Compute } from "./compute.js";
import type { Diagnostics } from "./diagnostics.js";
import type { FileSystem } from "./file-system.js";
import type { Logger } from "./logger.js";
import type { ListeningNetwork, Network } from "./network.js";
import type { Random } from "./random.js";

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
