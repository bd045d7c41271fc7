// Schemas of message bodies: each turns a typed value into what cbor-x writes, and what cbor-x read back into
// a typed value, with the path of the first thing that does not fit. Unknown keys and trailing elements are
// ignored, so an optional field needs no new version. The same schemas print the CDDL.

import type { TopicId } from "./ids.js";
import { below, mismatch, unwritable } from "./schema-mismatch.js";
import { uuidFromBytes, uuidToBytes } from "./uuid.js";

/** What a schema is made of: for printing the CDDL and for walking schemas. */
export type SchemaNode =
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "text"; readonly maxLength: number }
  | { readonly kind: "bytes"; readonly maxLength: number }
  | { readonly kind: "boolean" | "uuid" | "textMap" }
  | { readonly kind: "oneOf"; readonly values: readonly string[] }
  | { readonly kind: "nullable"; readonly inner: Schema<unknown> }
  | { readonly kind: "array"; readonly element: Schema<unknown>; readonly maxLength: number }
  | {
      readonly kind: "map" | "tuple";
      readonly fields: readonly (readonly [name: string, schema: Schema<unknown>])[];
    };

export interface Schema<T> {
  /** @throws MillraceError `INVALID_ARGUMENT` naming the field that cannot be written. */
  toWire(value: T): unknown;
  /** @throws ProtocolError `INVALID_REQUEST` naming `path`. */
  fromWire(wire: unknown, path: string): T;
  /** The type in CDDL (RFC 8610). */
  readonly cddl: string;
  readonly isOptional: boolean;
  /** What an absent optional value reads as. */
  readonly absent?: T | undefined;
  readonly node: SchemaNode;
}

export type Infer<S> = S extends Schema<infer T> ? T : never;

const TEXT_LENGTH_MAX = 32767;

/**
 * Integers above 2^32-1 go to cbor-x as bigint, which it writes as CBOR integers (a number it would write as a
 * float).
 */
function integerToWire(value: number): number | bigint {
  if (value === value >>> 0 && (value !== 0 || 1 / value > 0)) {
    return value;
  }
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw unwritable("", `a safe integer, got ${Object.is(value, -0) ? "-0" : String(value)}`);
  }
  return value > 0xffffffff || value < -0x100000000 ? BigInt(value) : value;
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
    toWire(value) {
      const wire = integerToWire(value);
      if (value < min || value > max) {
        throw unwritable("", `an integer from ${min} to ${max}, got ${value}`);
      }
      return wire;
    },
    fromWire(wire, path) {
      const value = integerFromWire(wire, path);
      if (value < min || value > max) {
        throw mismatch(path, `an integer from ${min} to ${max}`);
      }
      return value;
    },
    cddl: `${min}..${max}`,
    isOptional: false,
    node: { kind: "integer", min, max },
  };
}

/** Half of a surrogate pair without the other: nothing that UTF-8 can say. */
const loneSurrogate = /\p{Surrogate}/u;

function textToWire(value: string, maxLength: number): string {
  if (typeof value !== "string" || value.length > maxLength) {
    throw unwritable("", `text of at most ${maxLength} characters`);
  }
  if (loneSurrogate.test(value)) {
    throw unwritable("", "text without lone surrogates");
  }
  return value;
}

/** UTF-8 text of at most `maxLength` UTF-16 units. */
export function text(maxLength = TEXT_LENGTH_MAX): Schema<string> {
  return {
    toWire: (value) => textToWire(value, maxLength),
    fromWire(wire, path) {
      if (typeof wire !== "string" || wire.length > maxLength) {
        throw mismatch(path, `text of at most ${maxLength} characters`);
      }
      return wire;
    },
    cddl: "tstr",
    isOptional: false,
    node: { kind: "text", maxLength },
  };
}

export const boolean: Schema<boolean> = {
  toWire(value) {
    if (typeof value !== "boolean") {
      throw unwritable("", "true or false");
    }
    return value;
  },
  fromWire(wire, path) {
    if (typeof wire !== "boolean") {
      throw mismatch(path, "true or false");
    }
    return wire;
  },
  cddl: "bool",
  isOptional: false,
  node: { kind: "boolean" },
};

export function bytes(maxLength = 65536): Schema<Uint8Array> {
  return {
    toWire(value) {
      if (!(value instanceof Uint8Array) || value.length > maxLength) {
        throw unwritable("", `at most ${maxLength} bytes`);
      }
      return value;
    },
    fromWire(wire, path) {
      if (!(wire instanceof Uint8Array) || wire.length > maxLength) {
        throw mismatch(path, `at most ${maxLength} bytes`);
      }
      return wire;
    },
    cddl: "bstr",
    isOptional: false,
    node: { kind: "bytes", maxLength },
  };
}

/** One of a closed set of texts. */
export function oneOf<const T extends string>(...values: readonly T[]): Schema<T> {
  return {
    toWire(value) {
      if (!values.includes(value)) {
        throw unwritable("", `one of ${values.join(", ")}`);
      }
      return value;
    },
    fromWire(wire, path) {
      if (!values.includes(wire as T)) {
        throw mismatch(path, `one of ${values.join(", ")}`);
      }
      return wire as T;
    },
    cddl: values.map((value) => `"${value}"`).join(" / "),
    isOptional: false,
    node: { kind: "oneOf", values },
  };
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
  node: { kind: "uuid" },
};

export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    toWire: (value) => (value === null || value === undefined ? null : inner.toWire(value)),
    fromWire: (wire, path) =>
      wire === null || wire === undefined ? null : inner.fromWire(wire, path),
    cddl: `(${inner.cddl}) / null`,
    isOptional: false,
    node: { kind: "nullable", inner: inner as Schema<unknown> },
  };
}

/** A field that may be missing, and then reads as `absent`. Always written. */
export function optional<T>(inner: Schema<T>, absent: T): Schema<T> {
  return {
    toWire: (value) => inner.toWire(value === undefined ? absent : value),
    fromWire: inner.fromWire,
    cddl: inner.cddl,
    isOptional: true,
    absent,
    node: inner.node,
  };
}

export function array<T>(element: Schema<T>, maxLength = 100_000): Schema<readonly T[]> {
  return {
    toWire(value) {
      if (!Array.isArray(value) || value.length > maxLength) {
        throw unwritable("", `a list of at most ${maxLength}`);
      }
      const wire = new Array<unknown>(value.length);
      let index = 0;
      try {
        for (; index < value.length; index++) {
          wire[index] = element.toWire(value[index] as T);
        }
      } catch (error) {
        throw below(error, String(index));
      }
      return wire;
    },
    fromWire(wire, path) {
      if (!Array.isArray(wire) || wire.length > maxLength) {
        throw mismatch(path, `a list of at most ${maxLength}`);
      }
      const value = new Array<T>(wire.length);
      let index = 0;
      try {
        for (; index < wire.length; index++) {
          value[index] = element.fromWire(wire[index], "");
        }
      } catch (error) {
        throw below(below(error, String(index)), path);
      }
      return value;
    },
    cddl: `[* ${element.cddl}]`,
    isOptional: false,
    node: { kind: "array", element: element as Schema<unknown>, maxLength },
  };
}

type ShapeOf<S> = { readonly [K in keyof S]: S[K] extends Schema<infer T> ? T : never };

// biome-ignore lint/suspicious/noExplicitAny: a shape holds schemas of every type; Infer restores them.
type AnyShape = Readonly<Record<string, Schema<any>>>;

type Fields = readonly (readonly [name: string, schema: Schema<unknown>])[];

function fieldsToWire(
  fields: Fields,
  value: Readonly<Record<string, unknown>>,
  put: (name: string, wire: unknown) => void,
): void {
  if (typeof value !== "object" || value === null) {
    throw unwritable("", "an object");
  }
  let at = "";
  try {
    for (const [name, field] of fields) {
      at = name;
      put(name, field.toWire(value[name]));
    }
  } catch (error) {
    throw below(error, at);
  }
}

function fieldFromWire(field: Schema<unknown>, name: string, wire: unknown): unknown {
  return wire === undefined && field.isOptional ? field.absent : field.fromWire(wire, name);
}

function fieldsInCddl(fields: Fields): string {
  return fields
    .map(([name, field]) => `${field.isOptional ? "? " : ""}${name}: ${field.cddl}`)
    .join(", ");
}

/** A map with text keys. */
export function map<S extends AnyShape>(shape: S): Schema<ShapeOf<S>> {
  const fields: Fields = Object.entries(shape);
  return {
    toWire(value) {
      const wire: Record<string, unknown> = {};
      fieldsToWire(fields, value as Record<string, unknown>, (name, item) => {
        wire[name] = item;
      });
      return wire;
    },
    fromWire(wire, path) {
      if (typeof wire !== "object" || wire === null || Array.isArray(wire)) {
        throw mismatch(path, "a map");
      }
      const value: Record<string, unknown> = {};
      try {
        for (const [name, field] of fields) {
          value[name] = fieldFromWire(field, name, (wire as Record<string, unknown>)[name]);
        }
      } catch (error) {
        throw below(error, path);
      }
      return value as ShapeOf<S>;
    },
    cddl: `{ ${fieldsInCddl(fields)}, * tstr => any }`,
    isOptional: false,
    node: { kind: "map", fields },
  };
}

/** A positional array with named elements; trailing optional elements may be missing. */
export function tuple<S extends AnyShape>(shape: S): Schema<ShapeOf<S>> {
  const fields: Fields = Object.entries(shape);
  return {
    toWire(value) {
      const wire: unknown[] = [];
      fieldsToWire(fields, value as Record<string, unknown>, (_, item) => {
        wire.push(item);
      });
      return wire;
    },
    fromWire(wire, path) {
      if (!Array.isArray(wire)) {
        throw mismatch(path, "a list");
      }
      const value: Record<string, unknown> = {};
      let index = 0;
      try {
        for (const [name, field] of fields) {
          value[name] = fieldFromWire(field, name, wire[index++]);
        }
      } catch (error) {
        throw below(error, path);
      }
      return value as ShapeOf<S>;
    },
    cddl: `[ ${fieldsInCddl(fields)}, * any ]`,
    isOptional: false,
    node: { kind: "tuple", fields },
  };
}

/** A map from text to text: configurations. */
export const textMap: Schema<Readonly<Record<string, string>>> = {
  toWire(value) {
    const wire: Record<string, string> = {};
    for (const [key, item] of Object.entries(value)) {
      try {
        wire[textToWire(key, TEXT_LENGTH_MAX)] = textToWire(item, TEXT_LENGTH_MAX);
      } catch (error) {
        throw below(error, key);
      }
    }
    return wire;
  },
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
  node: { kind: "textMap" },
};
