// How keys and values become bytes and bytes become keys and values. A serde is synchronous, so that records keep
// the order of their `send` calls.

import { createTextDecoder } from "@millrace/runtime";
import type { Issue, StandardSchema } from "./standard-schema.js";

/** Data does not fit: `issues` say why. */
export class InvalidDataError extends Error {
  override readonly name = "InvalidDataError";
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[], options?: { cause?: unknown }) {
    super(issues.map(describe).join("; "), options);
    this.issues = issues;
  }
}

/** Writes `In`, reads `Out`: the same, unless a schema transforms what it reads. */
export interface Serde<In, Out = In> {
  /** null: no key, or a tombstone. @throws InvalidDataError */
  serialize(data: In): Uint8Array | string | null;
  /** `bytes` is a view: copy what is kept. @throws InvalidDataError */
  deserialize(bytes: Uint8Array | null): Out;
}

/** What a topic's key or value is made with: a serde, or a Standard Schema validator for JSON. */
export type SerdeLike<In, Out = In> = Serde<In, Out> | StandardSchema<In, Out>;

// Bytes that are not UTF-8 are refused: U+FFFD in their place would be a different text.
const decoder = createTextDecoder({ fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new InvalidDataError([{ message: "not UTF-8" }], { cause });
  }
}

function present(bytes: Uint8Array | null): Uint8Array {
  if (bytes === null) {
    throw new InvalidDataError([{ message: "null; nullable() allows it" }]);
  }
  return bytes;
}

/** UTF-8 text. */
export const text = (): Serde<string> => ({
  serialize: (data) => data,
  deserialize: (bytes) => decode(present(bytes)),
});

/** Bytes as they are; what is read is a view. */
export const bytes = (): Serde<Uint8Array> => ({
  serialize: (data) => data,
  deserialize: present,
});

/** JSON, trusted to be a `T`: give a Standard Schema validator instead where it has to be checked. */
export const json = <T>(): Serde<T> => ({
  serialize: writeJson,
  deserialize: (content) => readJson(present(content)) as T,
});

/** Also takes null: a record without a key, or a tombstone. */
export function nullable<In, Out>(inner: SerdeLike<In, Out>): Serde<In | null, Out | null> {
  const serde = toSerde(inner);
  return {
    serialize: (data) => (data === null ? null : serde.serialize(data)),
    deserialize: (content) => (content === null ? null : serde.deserialize(content)),
  };
}

/** A validator becomes a serde for JSON that checks what is sent and what is read. */
export function toSerde<In, Out>(like: SerdeLike<In, Out>): Serde<In, Out> {
  return "~standard" in like ? checkedJson(like) : like;
}

function checkedJson<In, Out>(schema: StandardSchema<In, Out>): Serde<In, Out> {
  return {
    serialize(data) {
      // Checked, but sent as it was given: whoever reads it applies the schema's transformations.
      validate(schema, data);
      return writeJson(data);
    },
    deserialize: (content) => validate(schema, readJson(present(content))),
  };
}

function validate<In, Out>(schema: StandardSchema<In, Out>, value: unknown): Out {
  const result = schema["~standard"].validate(value);
  if ("then" in result) {
    throw new TypeError("the schema validates asynchronously; records need a synchronous one");
  }
  if (result.issues !== undefined) {
    throw new InvalidDataError(result.issues);
  }
  return result.value;
}

function writeJson(data: unknown): string {
  let content: string | undefined;
  try {
    content = JSON.stringify(data);
  } catch (cause) {
    throw new InvalidDataError([{ message: `not JSON: ${String(cause)}` }], { cause });
  }
  if (content === undefined) {
    throw new InvalidDataError([{ message: `not JSON: ${typeof data}` }]);
  }
  return content;
}

function readJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(decode(content));
  } catch (cause) {
    throw cause instanceof InvalidDataError
      ? cause
      : new InvalidDataError([{ message: "not JSON" }], { cause });
  }
}

function describe({ message, path = [] }: Issue): string {
  const steps = path.map((step) => String(typeof step === "object" ? step.key : step));
  return steps.length === 0 ? message : `${steps.join(".")}: ${message}`;
}
