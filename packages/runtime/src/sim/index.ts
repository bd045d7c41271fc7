/**
 * The simulated world: machines with disks, clocks and a network, in virtual time, from one seed.
 * @packageDocumentation
 */
export {
  calmWeather,
  type DiskFaults,
  type FaultModel,
  type FaultOptions,
  type NetworkFaults,
  type NodeFaults,
  swarmFaults,
} from "./fault-options.js";
export type { PowerLossModel } from "./file-inode.js";
export { Prng } from "./prng.js";
export { RealHandleError } from "./real-handles.js";
export { type MachineClock, SIMULATION_EPOCH_MS } from "./sim-clock.js";
export type {
  DiskOperation,
  DiskSnapshot,
  MutationKind,
  OperationKind,
  SimDisk,
} from "./sim-disk.js";
export type { MachineName, SimNetwork } from "./sim-network.js";
export type { CrashOptions, SimNode, SimRuntimeOptions } from "./sim-node.js";
export {
  createSimRuntime,
  Simulation,
  SimulationDeadlock,
  type SimulationOptions,
  SimulationTimeout,
} from "./simulation.js";
export type { LinkOptions } from "./topology.js";
