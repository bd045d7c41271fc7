// Named channels that tools may subscribe to (`node:diagnostics_channel` in Node, nothing in a browser).

export interface DiagnosticsChannel {
  /** Ask first: with nobody listening, building a message is wasted work. */
  readonly hasSubscribers: boolean;
  publish(message: Readonly<Record<string, unknown>>): void;
}

export interface Diagnostics {
  /** The same name gives the same channel. Names look like `millrace:producer:batch`. */
  channel(name: string): DiagnosticsChannel;
}

const closedChannel: DiagnosticsChannel = { hasSubscribers: false, publish: () => {} };

/** For platforms without a diagnostics facility. */
export const silentDiagnostics: Diagnostics = { channel: () => closedChannel };
