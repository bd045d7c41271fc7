// What every Network promises about dialing and listening: outcomes of a dial, limits, refusals, shutting down.

import type { AcceptedConnection, CloseReason } from "../network.js";
import {
  type ContractHarness,
  caseRunner,
  createAbort,
  rejectionCode,
  rejectionOf,
  type TestFramework,
} from "./harness.js";
import {
  dialWith,
  listenWith,
  type NetworkSubject,
  RecordedConnection,
  testLimits,
  until,
  urlOf,
  withPair,
} from "./network-subject.js";

const dialOptions = { maxMessageBytes: testLimits.maxMessageBytes, connectTimeoutMs: 10_000 };
const attachIgnored = (): { onMessage(): void; onClose(): void } => ({
  onMessage: () => {},
  onClose: () => {},
});

export function dialCases(
  framework: TestFramework,
  harness: ContractHarness<NetworkSubject>,
): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);
  const codeSeen = (subject: NetworkSubject, code: string): string =>
    subject.seesDialFailures === false ? "UNREACHABLE" : code;

  test("attaches before anything is delivered, a greeting at once included", async (subject) => {
    const listener = await listenWith(subject, {
      onConnection: (connection) => {
        connection.send([Uint8Array.of(42)]);
        return new RecordedConnection(connection);
      },
    });
    const dialed = await dialWith(subject, listener);
    await until(subject.clock, () => dialed.messages.length === 1, "the greeting");
    expect(dialed.messages[0]?.[0]).toBe(42);
    await listener.close(0);
  });

  test("says REFUSED where nothing listens", async (subject) => {
    const listener = await listenWith(subject);
    const url = urlOf(listener);
    await listener.close(0);
    let attached = 0;
    const work = subject.network.dial(url, dialOptions, () => {
      attached += 1;
      return attachIgnored();
    });
    expect(await rejectionCode(work)).toBe(codeSeen(subject, "REFUSED"));
    expect(attached).toBe(0);
  });

  for (const [verdict, status] of [
    ["wrong origin", 403],
    [{ status: 503, reason: "starting" }, 503],
  ] as const) {
    test(`says REJECTED with status ${status} when the upgrade is so refused`, async (subject) => {
      const listener = await listenWith(subject, { allowUpgrade: () => verdict });
      const error = await rejectionOf(
        subject.network.dial(urlOf(listener), dialOptions, attachIgnored),
      );
      const seen = error as { code?: unknown; status?: unknown };
      expect(seen.code).toBe(codeSeen(subject, "REJECTED"));
      if (subject.seesDialFailures !== false) {
        expect(seen.status).toBe(status);
      }
      await listener.close(0);
    });
  }

  test("says INVALID_URL for what is no WebSocket address", async (subject) => {
    for (const url of ["", "nonsense", "ftp://127.0.0.1/", "ws://", "ws://host:99999/"]) {
      const work = subject.network.dial(url, dialOptions, attachIgnored);
      expect(await rejectionCode(work), url).toBe("INVALID_URL");
    }
  });

  test("says ABORTED when the signal has aborted before, and dials nothing", async (subject) => {
    let accepted = 0;
    const listener = await listenWith(subject, {
      onConnection: (connection) => {
        accepted += 1;
        return new RecordedConnection(connection);
      },
    });
    const abort = createAbort();
    abort.abort(new Error("stop"));
    const options = { ...dialOptions, signal: abort.signal };
    const work = subject.network.dial(urlOf(listener), options, attachIgnored);
    expect(await rejectionCode(work)).toBe("ABORTED");
    await subject.clock.sleep(30);
    expect(accepted).toBe(0);
    await listener.close(0);
  });

  test("says ABORTED when the signal aborts while dialing, and leaves nothing open", async (subject) => {
    const listener = await listenWith(subject);
    const abort = createAbort();
    const options = { ...dialOptions, signal: abort.signal };
    const work = subject.network.dial(urlOf(listener), options, attachIgnored);
    abort.abort(new Error("stop"));
    expect(await rejectionCode(work)).toBe("ABORTED");
    await until(subject.clock, () => listener.connectionCount === 0, "no connection");
    expect(abort.listenerCount()).toBe(0);
    await listener.close(0);
  });

  test("lets go of the signal once the connection is open", async (subject) => {
    const listener = await listenWith(subject);
    const abort = createAbort();
    const options = { ...dialOptions, signal: abort.signal };
    const connection = await subject.network.dial(urlOf(listener), options, attachIgnored);
    expect(abort.listenerCount()).toBe(0);
    abort.abort(new Error("too late"));
    await subject.clock.sleep(20);
    expect(connection.isOpen).toBe(true);
    await listener.close(0);
  });

  test("rejects with what attach throws, and leaves nothing open", async (subject) => {
    const listener = await listenWith(subject);
    const bug = new Error("a bug in attach");
    const work = subject.network.dial(urlOf(listener), dialOptions, () => {
      throw bug;
    });
    expect((await rejectionOf(work)) === bug).toBe(true);
    await until(subject.clock, () => listener.connectionCount === 0, "no connection");
    await listener.close(0);
  });

  test("closes with 1009 when a message from the listener exceeds the dialer's limit", (subject) =>
    withPair(
      subject,
      async ({ dialed, accepted }) => {
        accepted.connection.send([new Uint8Array(1_000)]);
        accepted.connection.send([new Uint8Array(1_001)]);
        await until(subject.clock, () => accepted.closes.length === 1, "the close");
        await until(subject.clock, () => dialed.closes.length === 1, "the close");
        expect(dialed.messages.length).toBe(1);
        const code = subject.sendsAnyCloseCode === false ? 4_009 : 1_009;
        expect(accepted.closes[0]?.code).toBe(code);
      },
      { dialerMaxMessageBytes: 1_000 },
    ));
}

export function listenCases(
  framework: TestFramework,
  harness: ContractHarness<NetworkSubject>,
): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("tells its host, its port and its connections", async (subject) => {
    const listener = await listenWith(subject);
    expect(listener.port).toBeGreaterThan(0);
    expect(listener.connectionCount).toBe(0);
    const first = await dialWith(subject, listener);
    await dialWith(subject, listener);
    await until(subject.clock, () => listener.connectionCount === 2, "two connections");
    first.connection.close();
    await until(subject.clock, () => listener.connectionCount === 1, "one connection");
    await listener.close(0);
  });

  test("says ADDRESS_IN_USE for a port that is taken", async (subject) => {
    const listener = await listenWith(subject);
    const work = listenWith(subject, { port: listener.port });
    expect(await rejectionCode(work)).toBe("ADDRESS_IN_USE");
    await listener.close(0);
  });

  test("frees its port when it closes", async (subject) => {
    const listener = await listenWith(subject);
    await listener.close(0);
    const again = await listenWith(subject, { port: listener.port });
    expect(again.port).toBe(listener.port);
    await again.close(0);
  });

  test("shows an accepted connection the request's host and the peer's address", (subject) =>
    withPair(subject, async ({ accepted, dialed, listener }) => {
      const { host, remoteAddress } = accepted.connection;
      expect(host).toBe(`${listener.host}:${listener.port}`);
      expect(remoteAddress.length).toBeGreaterThan(0);
      expect(dialed.connection.remoteAddress.length).toBeGreaterThan(0);
    }));

  test("closes with 1009 when a message exceeds the listener's limit", (subject) =>
    withPair(
      subject,
      async ({ dialed, accepted }) => {
        dialed.connection.send([new Uint8Array(1_000)]);
        dialed.connection.send([new Uint8Array(600), new Uint8Array(401)]);
        await until(subject.clock, () => dialed.closes.length === 1, "the close");
        await until(subject.clock, () => accepted.closes.length === 1, "the close");
        expect(accepted.messages.length).toBe(1);
        expect(dialed.closes[0]?.code).toBe(1_009);
      },
      { listener: { maxMessageBytes: 1_000 } },
    ));

  test("raises and lowers the limit of one connection", (subject) =>
    withPair(
      subject,
      async ({ dialed, accepted }) => {
        accepted.connection.setMaxMessageBytes(100_000);
        dialed.connection.send([new Uint8Array(100_000)]);
        await until(subject.clock, () => accepted.messages.length === 1, "the large message");
        accepted.connection.setMaxMessageBytes(10);
        dialed.connection.send([new Uint8Array(11)]);
        await until(subject.clock, () => dialed.closes.length === 1, "the close");
        expect(accepted.messages.length).toBe(1);
        expect(dialed.closes[0]?.code).toBe(1_009);
      },
      { listener: { maxMessageBytes: 1_000 } },
    ));

  test("refuses connections beyond its bound with 503, and accepts again below it", async (subject) => {
    const listener = await listenWith(subject, { limits: { maxConnections: 2 } });
    const first = await dialWith(subject, listener);
    await dialWith(subject, listener);
    const error = await rejectionOf(
      subject.network.dial(urlOf(listener), dialOptions, attachIgnored),
    );
    if (subject.seesDialFailures !== false) {
      expect((error as { code?: unknown }).code).toBe("REJECTED");
      expect((error as { status?: unknown }).status).toBe(503);
    }
    first.connection.close();
    await until(subject.clock, () => listener.connectionCount === 1, "room");
    const third = await dialWith(subject, listener);
    expect(third.connection.isOpen).toBe(true);
    await listener.close(0);
  });

  test("stops accepting while open connections go on", async (subject) => {
    let accepted: AcceptedConnection | undefined;
    const listener = await listenWith(subject, {
      onConnection: (connection) => {
        accepted = connection;
        return new RecordedConnection(connection);
      },
    });
    const dialed = await dialWith(subject, listener);
    await listener.stopAccepting();
    await listener.stopAccepting();
    await rejectionOf(subject.network.dial(urlOf(listener), dialOptions, attachIgnored));
    accepted?.send([Uint8Array.of(1)]);
    await until(subject.clock, () => dialed.messages.length === 1, "the message");
    await listener.close(0);
  });

  test("closes every connection with 1001, twice is fine", async (subject) => {
    const closes: CloseReason[] = [];
    const listener = await listenWith(subject, {
      onConnection: () => ({
        onMessage: () => {},
        onClose: (reason) => void closes.push(reason),
      }),
    });
    const ends = [await dialWith(subject, listener), await dialWith(subject, listener)];
    await Promise.all([listener.close(1_000), listener.close(1_000)]);
    await listener.close();
    await until(subject.clock, () => ends.every((end) => end.closes.length === 1), "all closes");
    expect(ends.map((end) => end.closes[0]?.code)).toEqual([1_001, 1_001]);
    expect(closes.length).toBe(2);
    expect(listener.connectionCount).toBe(0);
  });

  test("cuts what does not close in time", async (subject) => {
    if (subject.canPauseReading === false) {
      return;
    }
    const listener = await listenWith(subject);
    const dialed = await dialWith(subject, listener);
    dialed.connection.pauseReading();
    await listener.close(50);
    expect(listener.connectionCount).toBe(0);
    dialed.connection.resumeReading();
    await until(subject.clock, () => dialed.closes.length === 1, "the close");
  });

  test("survives a handler that throws: only its own connection is cut", async (subject) => {
    let calls = 0;
    const listener = await listenWith(subject, {
      onConnection: (connection) => {
        calls += 1;
        const isFirst = calls === 1;
        return {
          onMessage: (message) => {
            if (isFirst) {
              throw new Error("a bug in the handler");
            }
            connection.send([message]);
          },
          onClose: () => {},
        };
      },
    });
    const first = await dialWith(subject, listener);
    const second = await dialWith(subject, listener);
    first.connection.send([Uint8Array.of(1)]);
    second.connection.send([Uint8Array.of(2)]);
    await until(subject.clock, () => second.messages.length === 1, "the echo");
    await until(subject.clock, () => first.closes.length === 1, "the cut");
    expect(second.connection.isOpen).toBe(true);
    await listener.close(0);
  });
}
