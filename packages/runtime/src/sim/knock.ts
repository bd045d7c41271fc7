// The first packet of a dial: finds out who listens at an address, with TCP's retries while nothing answers.

import { type Address, machineOf } from "./address.js";
import type { SimListener } from "./sim-listener.js";
import type { SimNetwork } from "./sim-network.js";
import type { SimProcess } from "./sim-process.js";
import type { World } from "./world.js";

/** A lost first packet is sent again after 1, 2, 4 ... seconds. */
const firstRetryMs = 1000;

export interface Knock {
  readonly world: World;
  readonly network: SimNetwork;
  readonly process: SimProcess;
  readonly address: Address;
  /** Nobody waits for an answer any more. */
  isOver(): boolean;
  /** In the listener's own event, when the request's head has arrived. */
  onListener(listener: SimListener): void;
  /** In the dialer's own event. */
  onRefused(): void;
  /** In the dialer's own event: there is no such machine. */
  onUnknownHost(): void;
}

export function knock(options: Knock, retryMs = firstRetryMs): void {
  const { world, network, process, address } = options;
  const { topology } = network;
  const from = process.nodeName;
  const to = machineOf(address.host, from);
  const answer = (run: () => void): void => {
    const delayMs = topology.drawLatencyMs(to, from);
    world.scheduler.schedule({ delayMs, kind: "net.answer", label: to, owner: process, run });
  };
  const arrive = (): void => {
    if (options.isOver() || !process.isAlive) {
      return;
    }
    const machine = network.machine(to);
    if (machine === undefined) {
      answer(() => options.onUnknownHost());
      return;
    }
    const isLost = topology.isBlocked(from, to) || topology.isBlocked(to, from);
    if (isLost || !machine.isPowered) {
      const again = (): void => knock(options, retryMs * 2);
      world.scheduler.schedule({ delayMs: retryMs, kind: "net.retry", label: to, run: again });
      return;
    }
    const listener = network.listenerAt(address, from);
    if (listener === undefined) {
      answer(() => options.onRefused());
      return;
    }
    world.scheduler.schedule({
      delayMs: topology.drawLatencyMs(to, from) + topology.drawLatencyMs(from, to),
      kind: "net.request",
      label: from,
      owner: listener.process,
      run: () => {
        if (!options.isOver()) {
          options.onListener(listener);
        }
      },
    });
  };
  world.scheduler.schedule({
    delayMs: topology.drawLatencyMs(from, to),
    kind: "net.knock",
    label: to,
    run: arrive,
  });
}
