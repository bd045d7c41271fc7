import { describe, expect, it } from "vitest";
import { differences, parseTopicsFile } from "./topics-file.js";

describe("the topics file", () => {
  it("takes names with defaults, and configuration as texts, numbers and booleans", () => {
    const content = JSON.stringify([
      { name: "a" },
      {
        name: "b",
        partitions: 3,
        replication_factor: 1,
        config: { "retention.ms": 5, flush: "os", "unclean.leader.election.enable": false },
      },
    ]);
    expect(parseTopicsFile(content)).toEqual([
      { name: "a", partitions: -1, replicationFactor: -1, config: {} },
      {
        name: "b",
        partitions: 3,
        replicationFactor: 1,
        config: { "retention.ms": "5", flush: "os", "unclean.leader.election.enable": "false" },
      },
    ]);
  });

  it.each([
    ["{", "not JSON"],
    ["{}", "/: expected a list"],
    ["[1]", "/0: expected an object"],
    ['[{"name":"a"},{}]', "/1/name: expected a text"],
    ['[{"name":"a","partitions":0}]', "/0/partitions: expected a whole number"],
    ['[{"name":"a","partitions":"3"}]', "/0/partitions"],
    ['[{"name":"a","replication_factor":1.5}]', "/0/replication_factor"],
    ['[{"name":"a","replicationFactor":1}]', "/0/replicationFactor: unknown field"],
    ['[{"name":"a","config":[]}]', "/0/config: expected an object"],
    ['[{"name":"a","config":{"x":null}}]', "/0/config/x"],
    ['[{"name":"a"},{"name":"a"}]', "/1/name: topic a stands twice"],
  ])("refuses %s", (content, message) => {
    expect(() => parseTopicsFile(content)).toThrow(message);
  });

  it("names what differs from an existing topic, and nothing that the file leaves open", () => {
    const partition = { replicas: [0] } as never;
    const topic = { partitions: [partition, partition] };
    const spec = {
      name: "a",
      partitions: 3,
      replicationFactor: -1,
      config: { "retention.ms": "5" },
    };
    expect(differences(spec, topic, new Map())).toEqual([
      "partitions is 2, not 3",
      "retention.ms is the default, not 5",
    ]);
    expect(
      differences({ ...spec, partitions: 2 }, topic, new Map([["retention.ms", "5"]])),
    ).toEqual([]);
  });
});
