// The suites there are, by name: for the command line and for its workers.

import { brokerSuite } from "./broker-suite.js";
import { storageSuite } from "./storage/storage-suite.js";
import type { Suite } from "./suite.js";

export const suites: readonly Suite[] = [brokerSuite, storageSuite];
