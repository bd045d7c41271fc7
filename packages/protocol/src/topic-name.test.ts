import { describe, expect, it } from "vitest";
import { topicNameProblem } from "./topic-name.js";

describe("topicNameProblem", () => {
  it.each(["a", "orders.v2", "A_b-9", "...", "__cluster_metadata", "x".repeat(249)])(
    "accepts %s",
    (name) => {
      expect(topicNameProblem(name)).toBeUndefined();
    },
  );

  it.each([
    "",
    ".",
    "..",
    "a/b",
    "../etc",
    "a\\b",
    "a b",
    "größe",
    "a\n",
    "a\0",
    "a:b",
    "%2e%2e",
    "x".repeat(250),
  ])("refuses %j", (name) => {
    expect(topicNameProblem(name)).toMatch(/./);
  });
});
