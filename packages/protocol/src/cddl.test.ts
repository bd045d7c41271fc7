// Holds schemas, `millrace.cddl` and the message vectors together. `REWRITE=1` writes the generated parts anew:
// then look at the difference before you commit it.

import { readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { type ApiName, apis } from "./apis.js";
import { decodeCbor, encodeCbor } from "./cbor/codec.js";
import { errorCode, type WireErrorName } from "./errors.js";
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeErrorResponse,
  encodeRequest,
  encodeResponse,
  errorMessageOf,
} from "./frame.js";
import * as cluster from "./messages/cluster.js";
import * as configs from "./messages/configs.js";
import * as fetchMessages from "./messages/fetch.js";
import * as fields from "./messages/fields.js";
import * as hello from "./messages/hello.js";
import * as produce from "./messages/produce.js";
import * as topics from "./messages/topics.js";
import type { Schema } from "./schema.js";
import { cddlMismatch } from "./test-support/cddl-match.js";
import { parseCddl } from "./test-support/cddl-parser.js";
import { CddlPrinter, kebab, type MessageModule } from "./test-support/cddl-printer.js";
import { diagnostic } from "./test-support/diagnostic.js";
import { DocTables } from "./test-support/doc-tables.js";
import { fromHex, readVectors, toHex } from "./test-support/fixtures.js";

const isRewriting = process.env["REWRITE"] === "1";
const cddlFile = new URL("../millrace.cddl", import.meta.url);

/** TSDoc of the fields of a module's exported shapes: "exportName/field/field" -> lines. */
function fieldComments(path: URL): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(path, "utf8");
  const source = ts.createSourceFile(path.pathname, text, ts.ScriptTarget.ES2023, true);
  const comments = new Map<string, readonly string[]>();
  const note = (node: ts.Node, key: string): void => {
    for (const doc of ts.getJSDocCommentsAndTags(node)) {
      if (typeof doc.comment === "string") {
        comments.set(key, doc.comment.split("\n"));
      }
    }
  };
  const visit = (node: ts.Node, key: string): void => {
    if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) {
      const inner = `${key}/${node.name.getText(source)}`;
      note(node, inner);
      ts.forEachChild(node, (child) => visit(child, inner));
    } else {
      ts.forEachChild(node, (child) => visit(child, key));
    }
  };
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        const name = declaration.name.getText(source);
        note(statement, name);
        visit(declaration, name);
      }
    }
  }
  return comments;
}

function modules(): MessageModule[] {
  const files = { fields, hello, topics, produce, fetch: fetchMessages, configs, cluster };
  return Object.entries(files).map(([name, exports]) => ({
    exports,
    comments: fieldComments(new URL(`./messages/${name}.ts`, import.meta.url)),
  }));
}

const generate = (): string => new CddlPrinter(modules()).print(apis as never);

/** The page with the tables between `<!-- fields: NAME request -->` and `<!-- end -->` made anew. */
function withTables(page: string): string {
  const tables = new DocTables(modules());
  return page.replaceAll(
    /(<!-- fields: (\w+) (request|response) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, open: string, api: ApiName, kind: "request" | "response", close: string) =>
      `${open}\n${tables.table(apis[api][kind] as Schema<unknown>)}\n\n${close}`,
  );
}

const docFile = new URL("../../../docs/protocol.md", import.meta.url);
if (isRewriting) {
  writeFileSync(docFile, withTables(readFileSync(docFile, "utf8")));
}
if (isRewriting) {
  writeFileSync(cddlFile, generate());
}
const cddl = readFileSync(cddlFile, "utf8");
const rules = parseCddl(cddl);

interface Vector {
  readonly name: string;
  readonly kind: "request" | "response" | "error";
  readonly hex: string;
  readonly diagnostic: string;
  readonly value: {
    readonly correlationId: number;
    /** Of an error. */
    readonly error?: WireErrorName;
    readonly message?: string;
    readonly body?: unknown;
    /** Hex. */
    readonly records?: string;
  };
  /** Bytes that another encoder may write: decoded only. */
  readonly decodeOnly?: boolean;
}

type VectorFile = Readonly<Record<ApiName | "error", readonly Vector[]>>;

const names = Object.keys(apis) as ApiName[];

function encode(api: ApiName, { kind, value }: Vector): Uint8Array {
  const records = value.records === undefined ? undefined : [fromHex(value.records)];
  const { correlationId, body } = value;
  if (kind === "error") {
    const error = value.error as WireErrorName;
    return join(encodeErrorResponse(correlationId, error, value.message ?? null));
  }
  return join(
    kind === "request"
      ? encodeRequest(api, correlationId, body as never, records)
      : encodeResponse(api, correlationId, body as never, records),
  );
}

const join = (chunks: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(chunks));

function decode(api: ApiName, { kind, hex }: Vector): Vector["value"] {
  const message = fromHex(hex);
  if (kind === "error") {
    const { correlationId, errorCode: error, body } = decodeResponseFrame(message);
    return {
      correlationId,
      error: String(error) as WireErrorName,
      message: errorMessageOf(body) ?? "",
    };
  }
  const frame = kind === "request" ? decodeRequestFrame(message) : decodeResponseFrame(message);
  const schema = apis[api][kind] as Schema<unknown>;
  const body = schema.fromWire(frame.body, "body");
  const records = frame.records.length === 0 ? {} : { records: toHex(frame.records) };
  return { correlationId: frame.correlationId, body, ...records };
}

if (isRewriting) {
  const written = Object.entries(readVectors<VectorFile>("messages.json")).map(([api, list]) => [
    api,
    list.map((vector) => {
      const hex = vector.decodeOnly === true ? vector.hex : toHex(encode(api as ApiName, vector));
      return { ...vector, hex, diagnostic: diagnostic(decodeCbor(fromHex(hex))) };
    }),
  ]);
  const file = new URL("../vectors/messages.json", import.meta.url);
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(written), null, 2)}\n`);
}

const vectors = readVectors<VectorFile>("messages.json");

describe("millrace.cddl", () => {
  it("is what the schemas print (after a change: npm run cddl -w @millrace/protocol)", () => {
    expect(cddl).toBe(generate());
  });

  it("has every rule it names, and rules for every request and response", () => {
    for (const name of names) {
      for (const kind of ["request", "response", "request-frame", "response-frame"]) {
        expect(rules.has(`${kebab(name)}-${kind}`)).toBe(true);
      }
    }
    const standard = ["any", "tstr", "bstr", "bool", "null"];
    for (const [, name] of JSON.stringify([...rules.values()]).matchAll(
      /"name","name":"([^"]+)"/g,
    )) {
      expect([...rules.keys(), ...standard]).toContain(name);
    }
  });

  it("describes records of the metadata log and of internal topics by their envelope", () => {
    const record = (value: unknown) => cddlMismatch(rules, "internal-record", value);
    expect(record(decodeCbor(encodeCbor([2, 0, { topic: "orders" }])))).toBeUndefined();
    expect(record([2, 0, {}, "from a later version"])).toBeUndefined();
    expect(record([2, { topic: "orders" }])).toMatch(/version/);
    expect(record([-1, 0, {}])).toMatch(/type/);
  });

  it("explains fields in the words of the code", () => {
    expect(cddl).toMatch(/; At least one whole batch comes, however large\.\n {2}maxBytes: count/);
  });
});

describe("docs/protocol.md", () => {
  const page = readFileSync(docFile, "utf8");

  it("has the field tables of every API, as the schemas have them", () => {
    expect(page).toBe(withTables(page));
    for (const name of names) {
      expect(page).toContain(`<!-- fields: ${name} request -->`);
      expect(page).toContain(`<!-- fields: ${name} response -->`);
    }
  });
});

const messages = names.flatMap((api) =>
  (vectors[api] ?? []).map((vector) => ({
    api,
    title: `${api} ${vector.kind}: ${vector.name}`,
    vector,
  })),
);

describe("message vectors", () => {
  it.each(names)("%s has a request and a response", (api) => {
    const kinds = (vectors[api] ?? []).map(({ kind }) => kind);
    expect(kinds).toContain("request");
    expect(kinds).toContain("response");
  });

  it.each(messages)("$title: bytes, notation, value and CDDL agree", ({ api, vector }) => {
    const item = decodeCbor(fromHex(vector.hex));
    expect(diagnostic(item)).toBe(vector.diagnostic);
    expect(cddlMismatch(rules, `${kebab(api)}-${vector.kind}-frame`, item)).toBeUndefined();
    expect(cddlMismatch(rules, "message", item)).toBeUndefined();
    expect(decode(api, vector)).toEqual(vector.value);
    if (vector.decodeOnly !== true) {
      expect(toHex(encode(api, vector))).toBe(vector.hex);
    }
  });

  it.each(vectors.error)("error response: $name", (vector) => {
    const item = decodeCbor(fromHex(vector.hex));
    expect(diagnostic(item)).toBe(vector.diagnostic);
    expect(cddlMismatch(rules, "error-response-frame", item)).toBeUndefined();
    expect(toHex(encode("hello", vector))).toBe(vector.hex);
    const { error, message } = vector.value;
    expect(decode("hello", vector)).toMatchObject({
      error: String(errorCode(error as WireErrorName)),
      message: message ?? "",
    });
  });
});

describe("the CDDL refuses what the schemas refuse", () => {
  it.each(messages.filter(({ vector }) => vector.kind === "request"))(
    "$title: each required field missing, or of another type",
    ({ api, vector }) => {
      const schema = apis[api].request as Schema<unknown>;
      const wire = schema.toWire((vector.value as { body: unknown }).body) as Record<
        string,
        unknown
      >;
      const rule = `${kebab(api)}-request`;
      const verdicts = (changed: unknown): readonly [boolean, boolean] => {
        let isRead = true;
        try {
          schema.fromWire(changed, "body");
        } catch {
          isRead = false;
        }
        return [isRead, cddlMismatch(rules, rule, changed) === undefined];
      };
      for (const key of Object.keys(wire)) {
        const { [key]: _, ...rest } = wire;
        const [isRead, isMatched] = verdicts(rest);
        // A nullable field may be left out; the CDDL asks senders to write it.
        expect(isRead || !isMatched).toBe(true);
        expect(verdicts({ ...wire, [key]: { odd: 1 } })[1]).toBe(
          verdicts({ ...wire, [key]: { odd: 1 } })[0],
        );
        expect(verdicts({ ...wire, [key]: 2 ** 40 })[1]).toBe(
          verdicts({ ...wire, [key]: 2 ** 40 })[0],
        );
      }
    },
  );
});
