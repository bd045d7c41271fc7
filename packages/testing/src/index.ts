/**
 * A real Millrace broker inside the test process, with faults on request.
 * @packageDocumentation
 */
export type { LastingFaults } from "./faults.js";
export {
  createTestBroker,
  type RestartOptions,
  TestBroker,
  type TestClientOptions,
} from "./test-broker.js";
export type { TestBrokerOptions, TestTopic } from "./test-broker-options.js";
