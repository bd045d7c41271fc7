import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import {
  clockContract,
  computeContract,
  diagnosticsContract,
  loggerContract,
  networkContract,
  randomContract,
} from "../contract/index.js";
import { silentLogger } from "../logger.js";
import { nodeNetwork } from "../node/index.js";
import { createBrowserRuntime, type WebSocketClass } from "./index.js";

const vitest = { describe, it, expect };
// Node 20 has no WebSocket of its own; the class of ws has the same interface.
const webSocket = WebSocket as unknown as WebSocketClass;
const runtime = createBrowserRuntime({ logger: silentLogger, webSocket });

describe("the browser runtime", () => {
  clockContract(vitest, { create: () => runtime.clock });
  randomContract(vitest, { create: () => runtime.random });
  computeContract(vitest, { create: () => runtime.compute });
  diagnosticsContract(vitest, { create: () => ({ diagnostics: runtime.diagnostics }) });
  loggerContract(vitest, { create: () => ({ logger: runtime.logger }) });
  networkContract(vitest, {
    create: () => ({
      network: runtime.network,
      peer: nodeNetwork,
      clock: runtime.clock,
      canPauseReading: false,
      seesDialFailures: false,
      sendsAnyCloseCode: false,
    }),
  });
});
