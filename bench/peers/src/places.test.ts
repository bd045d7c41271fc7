import { describe, expect, it } from "vitest";
import { withoutPaths } from "./places.js";

describe("withoutPaths", () => {
  it("leaves of a path what says which file it was, and of everything else all", () => {
    expect(withoutPaths("cannot read /home/me/millrace/bench/x.log: gone")).toBe(
      "cannot read .../x.log: gone",
    );
    expect(withoutPaths("at file:(/var/tmp/a-b/c.js:3)")).toBe("at file:(.../c.js:3)");
    const kept = "@platformatic/kafka of https://example.org/a/b at 3/4, 10 MB/s, and/or";
    expect(withoutPaths(kept)).toBe(kept);
  });
});
