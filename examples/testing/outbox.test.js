import { createTestBroker } from "@millrace/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Outbox } from "./outbox.js";

/** @type {import("@millrace/testing").TestBroker} */
let broker;

// A broker of its own for each test: it is ready in milliseconds.
beforeEach(async () => {
  broker = await createTestBroker({ topics: [{ name: "account-events", partitions: 3 }] });
});

afterEach(() => broker.close());

describe("the outbox", () => {
  it("publishes an event under its account", async () => {
    const outbox = new Outbox(broker.client());
    await outbox.publish({ account: "a-1", kind: "opened" });
    const [record] = await broker.records("account-events");
    expect(record.keyText()).toBe("a-1");
    expect(record.json()).toEqual({ kind: "opened" });
  });

  it("keeps the order of an account's events", async () => {
    const outbox = new Outbox(broker.client());
    const kinds = ["opened", "deposited", "closed"];
    await Promise.all(kinds.map((kind) => outbox.publish({ account: "a-1", kind })));
    const records = await broker.records("account-events");
    expect(records.map((record) => record.json().kind)).toEqual(kinds);
  });

  it("loses and repeats nothing when the broker is killed under it", async () => {
    const outbox = new Outbox(broker.client());
    const publishing = Array.from({ length: 20 }, (_, index) =>
      outbox.publish({ account: "a-1", kind: `step ${index}` }),
    );
    await broker.kill();
    await broker.restart({ loseUnsynced: true });
    await Promise.all(publishing);
    const records = await broker.records("account-events");
    expect(records.map((record) => record.json().kind)).toEqual(
      Array.from({ length: 20 }, (_, index) => `step ${index}`),
    );
  });

  it("waits while the broker cannot be reached, and goes on when it can", async () => {
    const outbox = new Outbox(broker.client());
    broker.refuse();
    const publishing = outbox.publish({ account: "a-1", kind: "opened" });
    broker.heal();
    await publishing;
    expect(await broker.records("account-events")).toHaveLength(1);
  });
});
