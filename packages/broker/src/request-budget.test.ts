import { describe, expect, it } from "vitest";
import { RequestBudget } from "./request-budget.js";

describe("the request budget", () => {
  it("takes requests up to its bound and tells what does not fit", () => {
    const budget = new RequestBudget(100);
    expect(budget.take(60)).toBe(true);
    expect(budget.take(40)).toBe(true);
    expect(budget.take(1)).toBe(false);
    budget.release(1);
    budget.release(60);
    expect(budget.take(60)).toBe(true);
  });

  it("is tight before it is full", () => {
    const budget = new RequestBudget(100);
    budget.take(75);
    expect(budget.isTight).toBe(false);
    budget.take(1);
    expect(budget.isTight).toBe(true);
  });

  it("calls everybody back once when there is room again", () => {
    const budget = new RequestBudget(100);
    budget.take(90);
    const calls: string[] = [];
    budget.whenRoom(() => calls.push("one"));
    budget.whenRoom(() => calls.push("two"));
    const leave = budget.whenRoom(() => calls.push("gone"));
    leave();
    budget.release(10);
    expect(calls).toEqual([]);
    budget.release(10);
    budget.release(10);
    expect(calls).toEqual(["one", "two"]);
    expect(budget.usedBytes).toBe(60);
  });
});
