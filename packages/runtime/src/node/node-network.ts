// Node's network: WebSockets by ws, on node:http.

import type { ListeningNetwork } from "../network.js";
import { createDial } from "./dial.js";
import { listen } from "./listen.js";

export const nodeNetwork: ListeningNetwork = { dial: createDial(), listen };
