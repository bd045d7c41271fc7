import { crc32c } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { encodeKafkaProducerSnapshot } from "./core/kafka-producer-snapshot.js";
import { ProducerState } from "./core/producer-state.js";
import { removeSnapshotsBeyond, storeProducerSnapshot } from "./producer-snapshots.js";

describe("a producer snapshot beyond the log's end", () => {
  it("does not come back after a power cut: other batches may have taken those offsets", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { fileSystem, compute } = runtime;
      await fileSystem.createDirectory("/log");
      await fileSystem.syncDirectory("/");
      const place = { fileSystem, compute, directory: "/log" };
      await storeProducerSnapshot(place, 5, new ProducerState());
      await storeProducerSnapshot(place, 9, new ProducerState());
      await removeSnapshotsBeyond(place, 5);
      node.crash({ powerLoss: true, model: "nothing" });
      expect(node.disk.paths()).toEqual(["/log/00000000000000000005.producer-state"]);
    });
  });
});

describe("Kafka's producer snapshot", () => {
  const state = new ProducerState();
  const batch = { producerId: 4_711, producerEpoch: 3, maxTimestamp: 1_700_000_000_000 };
  state.apply({ ...batch, baseSequence: 0, lastSequence: 1, baseOffset: 10, lastOffset: 11 }, 5);
  state.apply({ ...batch, baseSequence: 2, lastSequence: 6, baseOffset: 20, lastOffset: 24 }, 5);

  it("has its bytes: the last batch of each producer, with a CRC over all entries", () => {
    const snapshot = { offset: 25, producers: [...state.entries()] };
    const bytes = encodeKafkaProducerSnapshot(snapshot, { crc32c });
    const hex = Buffer.from(bytes).toString("hex");
    const entries =
      "00000001" + // one producer
      "0000000000001267" + // id
      "0003" + // epoch
      "00000006" + // last sequence
      "0000000000000018" + // last offset
      "00000004" + // offset delta
      "0000018bcfe56800" + // timestamp
      "ffffffff" + // no coordinator
      "ffffffffffffffff"; // no open transaction
    const crc = crc32c(Buffer.from(entries, "hex")).toString(16).padStart(8, "0");
    expect(hex).toBe(`0001${crc}${entries}`);
  });

  it("stands beside ours, and goes with it", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { fileSystem, compute } = runtime;
      await fileSystem.createDirectory("/log");
      const place = { fileSystem, compute, directory: "/log" };
      for (const offset of [1, 2, 3]) {
        await storeProducerSnapshot(place, offset, state);
      }
      await removeSnapshotsBeyond(place, 2);
      expect(node.disk.paths()).toEqual([
        "/log/00000000000000000002.producer-state",
        "/log/00000000000000000002.snapshot",
      ]);
    });
  });
});
