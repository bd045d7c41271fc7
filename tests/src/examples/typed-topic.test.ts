import { createTestBroker } from "@millrace/testing";
import { describe, expect, it } from "vitest";
import { main } from "../../../examples/typed-topic/readings.js";

describe("examples/typed-topic", () => {
  it("reads what fits, and sets aside what does not", async () => {
    await using broker = await createTestBroker();
    const lines: string[] = [];
    await main(broker.url, (line) => void lines.push(line));
    expect(lines).toEqual([
      "kitchen: 21.5 degrees at 09:00",
      "set aside attic: expected a number",
      "cellar: 11.0 degrees at 09:01",
    ]);
    const [invalid] = await broker.records("readings.invalid");
    expect(invalid?.json()).toEqual({ celsius: "warm" });
  });
});
