// What every Network promises about an open connection: whole messages in order, honest closing, drains and
// pauses. Dialing and listening have cases of their own in network-dial-contract.ts.

import {
  type ContractHarness,
  caseRunner,
  patternBytes,
  sameBytes,
  type TestFramework,
} from "./harness.js";
import { dialCases, listenCases } from "./network-dial-contract.js";
import {
  type NetworkSubject,
  type RecordedConnection,
  until,
  withPair,
} from "./network-subject.js";

export function networkContract(
  framework: TestFramework,
  harness: ContractHarness<NetworkSubject>,
): void {
  framework.describe("a network", () => {
    framework.describe("messages", () => messageCases(framework, harness));
    framework.describe("closing", () => closeCases(framework, harness));
    framework.describe("flow", () => flowCases(framework, harness));
    framework.describe("dialing", () => dialCases(framework, harness));
    framework.describe("listening", () => listenCases(framework, harness));
  });
}

const sizes = [0, 1, 125, 126, 127, 4_096, 65_535, 65_536, 65_537, 5 * 1024 * 1024];

function messageCases(framework: TestFramework, harness: ContractHarness<NetworkSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  test("keeps message boundaries and bytes from 0 bytes to megabytes, both ways", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      const check = async (from: RecordedConnection, to: RecordedConnection): Promise<void> => {
        for (const size of sizes) {
          from.connection.send([patternBytes(size)]);
        }
        await until(subject.clock, () => to.messages.length === sizes.length, "all messages");
        for (const [index, size] of sizes.entries()) {
          const message = to.messages[index] ?? new Uint8Array(0);
          expect(sameBytes(message, patternBytes(size)), `${size} bytes`).toBe(true);
        }
      };
      await check(dialed, accepted);
      await check(accepted, dialed);
    }));

  test("makes one message of many chunks, empty ones included", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      const bytes = patternBytes(300_000);
      const cuts = [0, 0, 5, 130, 9_000, 80_000, 80_000, 299_999, 300_000];
      const chunks = cuts.map((cut, index) => bytes.subarray(cuts[index - 1] ?? 0, cut));
      dialed.connection.send(chunks);
      accepted.connection.send(chunks);
      dialed.connection.send([]);
      accepted.connection.send([]);
      const both = (): boolean => dialed.messages.length + accepted.messages.length === 4;
      await until(subject.clock, both, "both messages");
      for (const end of [dialed, accepted]) {
        expect(sameBytes(end.messages[0] ?? new Uint8Array(0), bytes)).toBe(true);
        expect(end.messages[1]?.length).toBe(0);
      }
    }));

  test("keeps the order of many messages of mixed sizes", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      const lengths = Array.from({ length: 500 }, (_, index) => (index * 7_919) % 20_000);
      for (const [index, length] of lengths.entries()) {
        dialed.connection.send([Uint8Array.of(index & 255, index >> 8), new Uint8Array(length)]);
      }
      await until(subject.clock, () => accepted.messages.length === 500, "all messages");
      for (const [index, message] of accepted.messages.entries()) {
        expect((message[0] ?? 0) + (message[1] ?? 0) * 256).toBe(index);
        expect(message.length).toBe((lengths[index] ?? 0) + 2);
      }
    }));

  test("gives messages that stay as they are while others arrive", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      for (let seed = 1; seed <= 200; seed++) {
        dialed.connection.send([patternBytes(997, seed)]);
      }
      await until(subject.clock, () => accepted.messages.length === 200, "all messages");
      const intact = accepted.messages.every((message, index) =>
        sameBytes(message, patternBytes(997, index + 1)),
      );
      expect(intact).toBe(true);
    }));

  test("sends from within onMessage", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      accepted.whenMessage = (message) => accepted.connection.send([message, message]);
      dialed.connection.send([Uint8Array.of(1, 2)]);
      await until(subject.clock, () => dialed.messages.length === 1, "the answer");
      expect([...(dialed.messages[0] ?? [])]).toEqual([1, 2, 1, 2]);
    }));
}

function closeCases(framework: TestFramework, harness: ContractHarness<NetworkSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);

  /** Waits until both ends are closed, then a while longer, and checks that each heard of it once. */
  const bothClosed = async (
    subject: NetworkSubject,
    ends: readonly RecordedConnection[],
  ): Promise<void> => {
    await until(subject.clock, () => ends.every((end) => end.closes.length > 0), "both closes");
    await subject.clock.sleep(30);
    for (const end of ends) {
      expect(end.closes.length).toBe(1);
      expect(end.messagesAfterClose).toBe(0);
      expect(end.connection.isOpen).toBe(false);
    }
  };

  test("carries code and reason to the peer, from either end", async (subject) => {
    for (const side of ["dialed", "accepted"] as const) {
      await withPair(subject, async (pair) => {
        const closer = pair[side];
        const other = side === "dialed" ? pair.accepted : pair.dialed;
        expect(closer.connection.isOpen).toBe(true);
        closer.connection.close(4_001, "moving on");
        expect(closer.connection.isOpen).toBe(false);
        await bothClosed(subject, [closer, other]);
        expect(other.closes[0]?.code).toBe(4_001);
        expect(other.closes[0]?.reason).toBe("moving on");
        expect(closer.closes[0]?.code).toBe(4_001);
      });
    }
  });

  test("closes with 1000 unless told otherwise", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.close();
      await bothClosed(subject, [dialed, accepted]);
      expect(accepted.closes[0]?.code).toBe(1_000);
    }));

  test("sends the codes of the protocol where the platform may", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.close(1_008, "policy");
      await bothClosed(subject, [dialed, accepted]);
      expect(accepted.closes[0]?.code).toBe(subject.sendsAnyCloseCode === false ? 4_008 : 1_008);
    }));

  test("delivers what was sent before the close", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      for (let index = 0; index < 50; index++) {
        dialed.connection.send([new Uint8Array(100_000)]);
      }
      dialed.connection.close(4_000, "done");
      await bothClosed(subject, [dialed, accepted]);
      expect(accepted.messages.length).toBe(50);
      expect(accepted.closes[0]?.code).toBe(4_000);
    }));

  test("drops what is sent after the close, and closing again does nothing", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.close(4_000, "first");
      dialed.connection.send([Uint8Array.of(1)]);
      dialed.connection.close(4_002, "second");
      await bothClosed(subject, [dialed, accepted]);
      dialed.connection.send([Uint8Array.of(1)]);
      dialed.connection.close();
      dialed.connection.terminate();
      dialed.connection.pauseReading();
      dialed.connection.resumeReading();
      expect(accepted.messages.length).toBe(0);
      expect(accepted.closes[0]?.code).toBe(4_000);
    }));

  test("cuts a reason that is too long for a close frame (123 bytes)", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.close(4_000, "ü".repeat(100));
      await bothClosed(subject, [dialed, accepted]);
      expect(accepted.closes[0]?.reason).toBe("ü".repeat(61));
    }));

  test("shows 1006 at both ends when one cuts the connection", async (subject) => {
    for (const side of ["dialed", "accepted"] as const) {
      await withPair(subject, async (pair) => {
        pair[side].connection.terminate();
        expect(pair[side].connection.isOpen).toBe(false);
        await bothClosed(subject, [pair.dialed, pair.accepted]);
        // A browser has no way to cut: there the peer sees a polite close.
        if (subject.sendsAnyCloseCode !== false || side === "accepted") {
          expect(pair.dialed.closes[0]?.code).toBe(1_006);
          expect(pair.accepted.closes[0]?.code).toBe(1_006);
        }
      });
    }
  });

  test("delivers nothing to an end after it cut the connection", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      accepted.whenMessage = () => accepted.connection.terminate();
      for (let index = 0; index < 20; index++) {
        dialed.connection.send([Uint8Array.of(index)]);
      }
      await bothClosed(subject, [dialed, accepted]);
      expect(accepted.messages.length).toBe(1);
    }));
}

function flowCases(framework: TestFramework, harness: ContractHarness<NetworkSubject>): void {
  const { expect } = framework;
  const test = caseRunner(framework, harness);
  const mebibyte = new Uint8Array(1024 * 1024);

  test("has nothing buffered once everything has left", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.send([mebibyte]);
      await until(subject.clock, () => accepted.messages.length === 1, "the message");
      await until(subject.clock, () => dialed.connection.bufferedBytes === 0, "an empty buffer");
    }));

  test("stops delivering at once while paused, and loses nothing", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      accepted.whenMessage = () => {
        if (accepted.messages.length === 1) {
          accepted.connection.pauseReading();
        }
      };
      for (let index = 0; index < 100; index++) {
        dialed.connection.send([Uint8Array.of(index)]);
      }
      await until(subject.clock, () => accepted.messages.length > 0, "the first message");
      await subject.clock.sleep(50);
      expect(accepted.messages.length).toBe(1);
      accepted.connection.resumeReading();
      await until(subject.clock, () => accepted.messages.length === 100, "the rest");
      expect(accepted.messages.every((message, index) => message[0] === index)).toBe(true);
    }));

  test("fills the sender's buffer while the peer is paused, and drains after", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      accepted.connection.pauseReading();
      for (let index = 0; index < 64; index++) {
        dialed.connection.send([mebibyte]);
      }
      await subject.clock.sleep(100);
      expect(accepted.messages.length).toBe(0);
      expect(dialed.connection.bufferedBytes).toBeGreaterThan(16 * 1024 * 1024);
      expect(dialed.drains).toBe(0);
      accepted.connection.resumeReading();
      await until(subject.clock, () => accepted.messages.length === 64, "all messages");
      await until(subject.clock, () => dialed.drains > 0, "the drain");
      expect(dialed.connection.bufferedBytes).toBe(0);
    }));

  test("says when chunks may be changed, and never sends what they became", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      const counts = new Array<number>(40).fill(0);
      accepted.connection.pauseReading();
      dialed.connection.pauseReading();
      for (const [index] of counts.entries()) {
        const size = index % 4 === 0 ? 100 : 1024 * 1024;
        const buffer = new Uint8Array(size).fill(index);
        const from = index % 2 === 0 ? dialed : accepted;
        from.connection.send([buffer.subarray(0, 10), buffer.subarray(10)], () => {
          counts[index] = (counts[index] ?? 0) + 1;
          buffer.fill(0xee);
        });
      }
      await subject.clock.sleep(20);
      accepted.connection.resumeReading();
      dialed.connection.resumeReading();
      const left = (): boolean => counts.every((count) => count > 0);
      await until(subject.clock, left, "every message to leave");
      const all = (): boolean => dialed.messages.length + accepted.messages.length === 40;
      await until(subject.clock, all, "every message");
      for (const [index, message] of accepted.messages.entries()) {
        expect(message.every((byte) => byte === index * 2)).toBe(true);
      }
      for (const [index, message] of dialed.messages.entries()) {
        expect(message.every((byte) => byte === index * 2 + 1)).toBe(true);
      }
      expect(counts.every((count) => count === 1)).toBe(true);
    }));

  test("lets go of every chunk when the connection is cut, and of what is sent after", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      const counts = [0, 0, 0, 0];
      const left = (index: number) => (): void => {
        counts[index] = (counts[index] ?? 0) + 1;
      };
      const large = new Uint8Array(24 * 1024 * 1024);
      dialed.connection.pauseReading();
      for (const [index] of counts.slice(1).entries()) {
        accepted.connection.send([large], left(index));
      }
      await subject.clock.sleep(20);
      accepted.connection.terminate();
      await until(subject.clock, () => accepted.closes.length === 1, "the end");
      await until(subject.clock, () => counts.slice(0, 3).every((count) => count > 0), "chunks");
      accepted.connection.send([large], left(3));
      expect(counts).toEqual([1, 1, 1, 1]);
    }));

  test("stops reading at the dialing end, where the platform can", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      dialed.connection.pauseReading();
      accepted.connection.send([Uint8Array.of(1)]);
      await subject.clock.sleep(50);
      expect(dialed.messages.length).toBe(subject.canPauseReading === false ? 1 : 0);
      dialed.connection.resumeReading();
      await until(subject.clock, () => dialed.messages.length === 1, "the message");
    }));

  test("goes on answering at one end while the other direction is paused", (subject) =>
    withPair(subject, async ({ dialed, accepted }) => {
      accepted.connection.pauseReading();
      accepted.connection.send([Uint8Array.of(5)]);
      await until(subject.clock, () => dialed.messages.length === 1, "the message");
      accepted.connection.resumeReading();
    }));
}
