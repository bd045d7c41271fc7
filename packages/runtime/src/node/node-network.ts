// Node's network: WebSockets by ws, on node:http.

import type { ListeningNetwork } from "../network.js";
import { dial } from "./dial.js";
import { listen } from "./listen.js";

export const nodeNetwork: ListeningNetwork = { dial, listen };
