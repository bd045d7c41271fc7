/**
 * One suite per interface of the seam; every implementation passes the same cases. Each takes a test
 * framework's functions (vitest's fit) and a harness that makes fresh subjects.
 * @packageDocumentation
 */
export { clockContract } from "./clock-contract.js";
export { computeContract } from "./compute-contract.js";
export { type FileSystemSubject, fileSystemContract } from "./file-system-contract.js";
export type { ContractHarness, Matchers, TestFramework } from "./harness.js";
export {
  type DiagnosticsSubject,
  diagnosticsContract,
  type LoggerSubject,
  loggerContract,
} from "./logger-contract.js";
export { networkContract } from "./network-contract.js";
export type { NetworkSubject } from "./network-subject.js";
export { randomContract } from "./random-contract.js";
