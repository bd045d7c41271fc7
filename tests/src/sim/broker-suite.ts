// The broker suite: a broker with its producers and readers, seed by seed.

import { runBrokerSeed } from "./broker-seed.js";
import { type PlantedBug, plantedBugs } from "./planted-bugs.js";
import type { Suite } from "./suite.js";

export const brokerSuite: Suite<PlantedBug> = {
  name: "broker",
  unit: "records",
  bugs: plantedBugs,
  plantedSeedsMax: 60,
  requiredFaults: [],
  faultsSeenWithin: 200,
  run: runBrokerSeed,
};
