// The few platform types that pure packages need, declared structurally, so that they compile without the
// DOM's and without Node's types. Node's and the browser's own types are assignable to these.

/** What is used of an `AbortSignal`; the platform's own fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface TextEncoderLike {
  encode(input?: string): Uint8Array;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

export interface TextDecoderLike {
  decode(input?: Uint8Array): string;
}

interface PlatformGlobals {
  TextEncoder: new () => TextEncoderLike;
  TextDecoder: new (
    label?: string,
    options?: { fatal?: boolean; ignoreBOM?: boolean },
  ) => TextDecoderLike;
}

const platform = globalThis as unknown as PlatformGlobals;

/** A UTF-8 encoder; the platform's own. */
export const createTextEncoder = (): TextEncoderLike => new platform.TextEncoder();

/** A UTF-8 decoder; with `fatal` it throws on malformed input instead of writing U+FFFD. */
export const createTextDecoder = (
  options: { fatal: boolean } = { fatal: false },
): TextDecoderLike => new platform.TextDecoder("utf-8", { fatal: options.fatal, ignoreBOM: true });
