// Diagnostics on node:diagnostics_channel, where tracing tools listen.

import { channel } from "node:diagnostics_channel";
import type { Diagnostics } from "../diagnostics.js";

export const nodeDiagnostics: Diagnostics = { channel: (name) => channel(name) };
