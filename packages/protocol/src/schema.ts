// Schemas of message bodies: each turns a typed value into what cbor-x writes, and what cbor-x read back into
// a typed value, with the path of the first thing that does not fit. Unknown keys and trailing elements are
// ignored, so an optional field needs no new version. The same schemas print the CDDL.

import { ProtocolError } from "./errors.js";
import type { TopicId } from "./ids.js";

export interface Schema<T> {
  toWire(value: T): unknown;
  /** @throws ProtocolError `INVALID_REQUEST` naming `path`. */
  fromWire(wire: unknown, path: string): T;
  /** The type in CDDL (RFC 8610). */
  readonly cddl: string;
  readonly isOptional: boolean;
  /** What an absent optional value reads as. */
  readonly absent?: T | undefined;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

function mismatch(path: string, expected: string): ProtocolError {
  return new ProtocolError("INVALID_REQUEST", `${path}: expected ${expected}`);
}

/** Integers above 2^32-1 go to cbor-x as bigint, which it writes as CBOR integers (a number it would write as a float). */
function integerToWire(value: number): number | bigint {
  return value > 0xffffffff || value < -0x80000000 ? BigInt(value) : value;
}

function integerFromWire(wire: unknown, path: string): number {
  const value = typeof wire === "bigint" ? Number(wire) : wire;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw mismatch(path, "an integer");
  }
  return value;
}

/** An integer within `min` and `max`, inclusive (default: all safe integers). */
export function integer(
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): Schema<number> {
  return {
    toWire: integerToWire,
    fromWire(wire, path) {
      const value = integerFromWire(wire, path);
      if (value < min || value > max) {
        throw mismatch(path, `an integer from ${min} to ${max}`);
      }
      return value;
    },
    cddl: `${min}..${max}`,
    isOptional: false,
  };
}

/** UTF-8 text of at most `maxLength` UTF-16 units. */
export function text(maxLength = 32767): Schema<string> {
  return {
    toWire: (value) => value,
    fromWire(wire, path) {
      if (typeof wire !== "string" || wire.length > maxLength) {
        throw mismatch(path, `text of at most ${maxLength} characters`);
      }
      return wire;
    },
    cddl: "tstr",
    isOptional: false,
  };
}

export const boolean: Schema<boolean> = {
  toWire: (value) => value,
  fromWire(wire, path) {
    if (typeof wire !== "boolean") {
      throw mismatch(path, "true or false");
    }
    return wire;
  },
  cddl: "bool",
  isOptional: false,
};

export function bytes(maxLength = 65536): Schema<Uint8Array> {
  return {
    toWire: (value) => value,
    fromWire(wire, path) {
      if (!(wire instanceof Uint8Array) || wire.length > maxLength) {
        throw mismatch(path, `at most ${maxLength} bytes`);
      }
      return wire;
    },
    cddl: "bstr",
    isOptional: false,
  };
}

/** One of a closed set of texts. */
export function oneOf<const T extends string>(...values: readonly T[]): Schema<T> {
  return {
    toWire: (value) => value,
    fromWire(wire, path) {
      if (!values.includes(wire as T)) {
        throw mismatch(path, `one of ${values.join(", ")}`);
      }
      return wire as T;
    },
    cddl: values.map((value) => `"${value}"`).join(" / "),
    isOptional: false,
  };
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The canonical text of 16 bytes. */
export function uuidFromBytes(raw: Uint8Array): string {
  let hex = "";
  for (const byte of raw) {
    hex += hexDigits[byte];
  }
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The 16 bytes of a UUID's text. */
export function uuidToBytes(uuid: string): Uint8Array {
  const hex = uuid.replaceAll("-", "");
  const raw = new Uint8Array(16);
  for (let index = 0; index < 16; index++) {
    raw[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  }
  return raw;
}

/** A UUID: 16 bytes on the wire, canonical text in memory. */
export const uuid: Schema<TopicId> = {
  toWire: (value) => uuidToBytes(value),
  fromWire(wire, path) {
    if (!(wire instanceof Uint8Array) || wire.length !== 16) {
      throw mismatch(path, "a UUID (16 bytes)");
    }
    return uuidFromBytes(wire);
  },
  cddl: "uuid",
  isOptional: false,
};

export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    toWire: (value) => (value === null ? null : inner.toWire(value)),
    fromWire: (wire, path) =>
      wire === null || wire === undefined ? null : inner.fromWire(wire, path),
    cddl: `(${inner.cddl}) / null`,
    isOptional: false,
  };
}

/** A field that may be missing, and then reads as `absent`. Always written. */
export function optional<T>(inner: Schema<T>, absent: T): Schema<T> {
  return {
    toWire: inner.toWire,
    fromWire: inner.fromWire,
    cddl: inner.cddl,
    isOptional: true,
    absent,
  };
}

export function array<T>(element: Schema<T>, maxLength = 100_000): Schema<readonly T[]> {
  return {
    toWire: (value) => value.map((item) => element.toWire(item)),
    fromWire(wire, path) {
      if (!Array.isArray(wire) || wire.length > maxLength) {
        throw mismatch(path, `a list of at most ${maxLength}`);
      }
      return wire.map((item, index) => element.fromWire(item, `${path}/${index}`));
    },
    cddl: `[* ${element.cddl}]`,
    isOptional: false,
  };
}

type ShapeOf<S> = { readonly [K in keyof S]: S[K] extends Schema<infer T> ? T : never };

// biome-ignore lint/suspicious/noExplicitAny: a shape holds schemas of every type; Infer restores them.
type AnyShape = Readonly<Record<string, Schema<any>>>;

/** A map with text keys. */
export function map<S extends AnyShape>(shape: S): Schema<ShapeOf<S>> {
  const fields = Object.entries(shape) as [string, Schema<unknown>][];
  return {
    toWire(value) {
      const wire: Record<string, unknown> = {};
      for (const [key, field] of fields) {
        wire[key] = field.toWire((value as Record<string, unknown>)[key]);
      }
      return wire;
    },
    fromWire(wire, path) {
      if (typeof wire !== "object" || wire === null || Array.isArray(wire)) {
        throw mismatch(path, "a map");
      }
      const value: Record<string, unknown> = {};
      for (const [key, field] of fields) {
        const item = (wire as Record<string, unknown>)[key];
        value[key] =
          item === undefined && field.isOptional
            ? field.absent
            : field.fromWire(item, `${path}/${key}`);
      }
      return value as ShapeOf<S>;
    },
    cddl: `{ ${fields.map(([key, field]) => `${field.isOptional ? "? " : ""}${key}: ${field.cddl}`).join(", ")}, * tstr => any }`,
    isOptional: false,
  };
}

/** A positional array with named elements; trailing optional elements may be missing. */
export function tuple<S extends AnyShape>(shape: S): Schema<ShapeOf<S>> {
  const fields = Object.entries(shape) as [string, Schema<unknown>][];
  return {
    toWire: (value) =>
      fields.map(([key, field]) => field.toWire((value as Record<string, unknown>)[key])),
    fromWire(wire, path) {
      if (!Array.isArray(wire)) {
        throw mismatch(path, "a list");
      }
      const value: Record<string, unknown> = {};
      fields.forEach(([key, field], index) => {
        const item: unknown = wire[index];
        value[key] =
          item === undefined && field.isOptional
            ? field.absent
            : field.fromWire(item, `${path}/${key}`);
      });
      return value as ShapeOf<S>;
    },
    cddl: `[ ${fields.map(([key, field]) => `${field.isOptional ? "? " : ""}${key}: ${field.cddl}`).join(", ")}, * any ]`,
    isOptional: false,
  };
}

/** A map from text to text: configurations. */
export const textMap: Schema<Readonly<Record<string, string>>> = {
  toWire: (value) => ({ ...value }),
  fromWire(wire, path) {
    if (typeof wire !== "object" || wire === null || Array.isArray(wire)) {
      throw mismatch(path, "a map");
    }
    for (const [key, value] of Object.entries(wire)) {
      if (typeof value !== "string") {
        throw mismatch(`${path}/${key}`, "text");
      }
    }
    return { ...(wire as Record<string, string>) };
  },
  cddl: "{ * tstr => tstr }",
  isOptional: false,
};
