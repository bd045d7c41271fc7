import { MillraceError } from "@millrace/protocol";
import { describe, expect, it } from "vitest";
import { AbortSource, abortedError, linkSignals, onAbort, underSignal } from "./abort.js";

describe("AbortSource", () => {
  it("tells each listener once and keeps none", () => {
    const source = new AbortSource();
    const heard: string[] = [];
    onAbort(source.signal, () => heard.push("a"));
    const stop = onAbort(source.signal, () => heard.push("b"));
    stop();
    source.abort("why");
    source.abort("again");
    expect(heard).toEqual(["a"]);
    expect(source.signal.reason).toBe("why");
    expect(source.listenerCount).toBe(0);
  });
});

describe("abortedError", () => {
  it("carries the signal's reason, and passes Millrace's own errors through", () => {
    const source = new AbortSource();
    source.abort("why");
    expect(abortedError(source.signal)).toMatchObject({ code: "ABORTED", cause: "why" });
    const closing = new AbortSource();
    closing.abort(new MillraceError("CLOSED"));
    expect(abortedError(closing.signal).code).toBe("CLOSED");
  });

  it("works with the platform's own signals", async () => {
    const controller = new AbortController();
    const wait = underSignal(new Promise(() => {}), controller.signal);
    controller.abort();
    await expect(wait).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("underSignal", () => {
  it("stops listening when the promise settles, either way", async () => {
    const source = new AbortSource();
    await underSignal(Promise.resolve(1), source.signal);
    await underSignal(Promise.reject(new Error("no")), source.signal).catch(() => {});
    await Promise.resolve();
    expect(source.listenerCount).toBe(0);
  });

  it("swallows the shared promise's later failure when the signal was aborted before", async () => {
    const source = new AbortSource();
    source.abort("why");
    const wait = underSignal(Promise.reject(new Error("late")), source.signal);
    await expect(wait).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("linkSignals", () => {
  it("aborts with the first, and listens to none after unlink", () => {
    const one = new AbortSource();
    const other = new AbortSource();
    const linked = linkSignals([one.signal, undefined, other.signal]);
    other.abort("other");
    expect(linked.signal.reason).toBe("other");
    linked.unlink();
    expect(one.listenerCount).toBe(0);
  });

  it("is aborted at once when one of them is", () => {
    const source = new AbortSource();
    source.abort("why");
    expect(linkSignals([source.signal]).signal.aborted).toBe(true);
  });
});
