import { describe, expect, it } from "vitest";
import {
  clockContract,
  computeContract,
  diagnosticsContract,
  fileSystemContract,
  loggerContract,
  networkContract,
  randomContract,
  type TestFramework,
} from "../contract/index.js";
import { Simulation } from "./simulation.js";

const framework: TestFramework = {
  describe: (name, body) => void describe(name, body),
  it: (name, body) => void it(name, body),
  expect: (actual, message) => expect(actual, message),
};

/** One world for all cases of a suite: they run one after the other. */
const world = () => {
  const simulation = new Simulation({ seed: 7 });
  const runtime = simulation.node("node").runtime();
  const drive = <Result>(work: Promise<Result>): Promise<Result> => simulation.run(() => work);
  return { simulation, runtime, drive };
};

describe("the simulated clock", () => {
  const { runtime, drive } = world();
  clockContract(framework, { create: () => runtime.clock, drive });
});

describe("a simulated clock that drifts", () => {
  const { simulation, runtime, drive } = world();
  simulation.node("node").clock.setDrift(0.037);
  clockContract(framework, { create: () => runtime.clock, drive });
});

describe("the simulated random source", () => {
  const { runtime } = world();
  randomContract(framework, { create: () => runtime.random });
});

describe("the simulated compute port", () => {
  const { runtime, drive } = world();
  computeContract(framework, { create: () => runtime.compute, drive });
});

describe("the simulated logger", () => {
  const { runtime } = world();
  loggerContract(framework, { create: () => ({ logger: runtime.logger }) });
  diagnosticsContract(framework, { create: () => ({ diagnostics: runtime.diagnostics }) });
});

describe("the simulated file system", () => {
  const { runtime, drive } = world();
  let caseCount = 0;
  fileSystemContract(framework, {
    create: async () => {
      caseCount += 1;
      const root = `/case-${caseCount}`;
      await runtime.fileSystem.createDirectory(root);
      return { fileSystem: runtime.fileSystem, root };
    },
    drive,
  });
});

describe("the simulated network, within one machine", () => {
  const { runtime, drive } = world();
  networkContract(framework, {
    create: () => ({ network: runtime.network, peer: runtime.network, clock: runtime.clock }),
    drive,
  });
});

describe("the simulated network, between machines", () => {
  const { simulation, runtime, drive } = world();
  const server = simulation.node("server").runtime();
  networkContract(framework, {
    create: () => ({
      network: runtime.network,
      peer: server.network,
      clock: runtime.clock,
      host: "server",
    }),
    drive,
  });
});
