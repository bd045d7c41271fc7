/**
 * The seam on Node: `createNodeRuntime()` and its parts.
 * @packageDocumentation
 */
export { nodeClock } from "./node-clock.js";
export { nodeCompute } from "./node-compute.js";
export { nodeDiagnostics } from "./node-diagnostics.js";
export { nodeFileSystem } from "./node-file-system.js";
export { nodeNetwork } from "./node-network.js";
export { createNodeRandom } from "./node-random.js";
export { createNodeRuntime, createStderrLogger, type NodeRuntimeOptions } from "./node-runtime.js";
