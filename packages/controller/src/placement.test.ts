import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placeReplicas } from "./placement.js";

const request = fc
  .record({
    brokerCount: fc.integer({ min: 1, max: 9 }),
    partitionCount: fc.integer({ min: 1, max: 60 }),
    firstPartition: fc.integer({ min: 0, max: 20 }),
    startIndex: fc.integer({ min: 0, max: 8 }),
    factor: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ brokerCount, factor, ...rest }) => ({
    ...rest,
    brokers: Array.from({ length: brokerCount }, (_, index) => index * 10),
    replicationFactor: Math.min(factor, brokerCount),
  }));

describe("placeReplicas", () => {
  it("gives every partition distinct brokers", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const placement = placeReplicas(wanted);
        expect(placement).toHaveLength(wanted.partitionCount);
        for (const replicas of placement) {
          expect(replicas).toHaveLength(wanted.replicationFactor);
          expect(new Set(replicas).size).toBe(replicas.length);
          expect(replicas.every((broker) => wanted.brokers.includes(broker))).toBe(true);
        }
      }),
    );
  });

  it("spreads leaders evenly", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const leaders = placeReplicas(wanted).map((replicas) => replicas[0]);
        const counts = wanted.brokers.map(
          (broker) => leaders.filter((leader) => leader === broker).length,
        );
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("goes on where the topic ended", () => {
    const whole = placeReplicas({
      brokers: [0, 1, 2],
      partitionCount: 7,
      replicationFactor: 2,
      firstPartition: 0,
      startIndex: 1,
    });
    const rest = placeReplicas({
      brokers: [0, 1, 2],
      partitionCount: 4,
      replicationFactor: 2,
      firstPartition: 3,
      startIndex: 1,
    });
    expect(rest).toEqual(whole.slice(3));
  });
});
