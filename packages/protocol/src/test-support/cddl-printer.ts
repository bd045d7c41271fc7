// Prints `millrace.cddl` from the schemas: a named rule for every exported schema and every nested map or
// tuple, the fields' TSDoc as comments. What is not a schema (the envelope) is written out in the prelude.

import type { ApiDefinition } from "../apis.js";
import type { Schema, SchemaNode } from "../schema.js";

type AnySchema = Schema<unknown>;

const prelude = `; Millrace's wire protocol in CDDL (RFC 8610).
; Generated from the schemas in src/messages by "npm run cddl -w @millrace/protocol"; a test compares the two.
;
; Every WebSocket message is one CBOR item: definite lengths, no tags, no floats, no simple values but false,
; true and null, text keys without duplicates. Unknown keys of maps and trailing elements of arrays are ignored,
; fields marked "?" may be absent, and a changed meaning takes a new API version.

message = request / response

request = [
  api-key,
  api-version,
  correlation-id,
  body: { * tstr => any },
  ? records,
  * any,
]

response = [
  correlation-id,
  ; 0: success; else body is an error-body.
  error-code,
  body: { * tstr => any },
  ? records,
  * any,
]

error-body = {
  ; For people.
  ? message: tstr / null,
  * tstr => any,
}

api-key = 0..32767
api-version = 0..32767
; Chosen by the client; the response repeats it.
correlation-id = 0..2147483647
; Record batches (RecordBatch v2) of all partitions back to back, in the order of the list in the body.
records = bstr
uuid = bstr .size 16

; A record's value in the metadata log and in internal topics.
internal-record = [
  type: 0..32767,
  version: 0..32767,
  body: { * tstr => any },
  * any,
]
`;

export const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const singular = (name: string): string => name.replace(/ies$/, "y").replace(/s$/, "");

export interface MessageModule {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly comments: ReadonlyMap<string, readonly string[]>;
}

export class CddlPrinter {
  private readonly ruleNames = new Map<SchemaNode, string>();
  private readonly rules: string[] = [];
  private readonly comments = new Map<string, readonly string[]>();

  constructor(modules: readonly MessageModule[]) {
    for (const { exports, comments } of modules) {
      for (const [name, schema] of Object.entries(exports)) {
        if (isSchema(schema) && schema.node.kind !== "uuid" && schema.node.kind !== "textMap") {
          this.ruleNames.set(schema.node, kebab(name).replace("error-number", "error-code"));
        }
      }
      for (const [key, lines] of comments) {
        this.comments.set(key, lines);
      }
    }
    for (const { exports } of modules) {
      for (const [name, schema] of Object.entries(exports)) {
        if (isSchema(schema) && this.ruleNames.has(schema.node)) {
          this.printRule(name, schema.node);
        }
      }
    }
  }

  print(apis: Readonly<Record<string, ApiDefinition<never, never>>>): string {
    const frames = Object.entries(apis).map(([name, api]) => {
      const rule = kebab(name);
      const records = (direction: string): string => (api.records === direction ? " records," : "");
      return [
        `${rule}-request-frame = [${api.key}, ${api.minVersion}..${api.maxVersion}, correlation-id, ${rule}-request,${records("request")} * any]`,
        `${rule}-response-frame = [correlation-id, 0, ${rule}-response,${records("response")} * any]`,
      ].join("\n");
    });
    const error = "error-response-frame = [correlation-id, error-code, error-body, * any]";
    return `${[prelude.trimEnd(), ["; Frames by API.", error, ...frames].join("\n"), ...this.rules].join("\n\n")}\n`;
  }

  private printRule(name: string, node: SchemaNode): void {
    const rule = this.ruleNames.get(node) as string;
    const comment = (this.comments.get(name) ?? []).map((line) => `; ${line}\n`).join("");
    const at = this.rules.length;
    this.rules.push("");
    this.rules[at] = `${comment}${rule} = ${this.body(node, name, rule)}`;
  }

  /** A type as it stands behind `=`; `path` finds comments, `rule` names what is nested. */
  private body(node: SchemaNode, path: string, rule: string): string {
    if (node.kind === "map" || node.kind === "tuple") {
      return this.composite(node, path, rule);
    }
    return this.simple(node, path, rule);
  }

  private composite(
    node: Extract<SchemaNode, { fields: unknown }>,
    path: string,
    rule: string,
  ): string {
    const lines: string[] = [];
    for (const [name, schema] of node.fields) {
      const key = `${path}/${name}`;
      for (const line of this.comments.get(key) ?? []) {
        lines.push(`  ; ${line}`);
      }
      const type = this.reference(schema.node, key, `${rule}-${singular(kebab(name))}`);
      lines.push(`  ${schema.isOptional ? "? " : ""}${name}: ${type},`);
    }
    const [open, close, rest] =
      node.kind === "map" ? "{|}|* tstr => any".split("|") : "[|]|* any".split("|");
    return [open, ...lines, `  ${rest},`, close].join("\n");
  }

  /** A type inside another: by name where it has one, or where it is a map or tuple and gets one. */
  private reference(node: SchemaNode, path: string, rule: string): string {
    const known = this.ruleNames.get(node);
    if (known !== undefined) {
      return known;
    }
    if (node.kind === "map" || node.kind === "tuple") {
      this.ruleNames.set(node, rule);
      this.printRule(path, node);
      return rule;
    }
    return this.simple(node, path, rule);
  }

  private simple(node: SchemaNode, path: string, rule: string): string {
    switch (node.kind) {
      case "integer":
        return `${node.min}..${node.max}`;
      case "text":
        return "tstr";
      case "bytes":
        return "bstr";
      case "boolean":
        return "bool";
      case "uuid":
        return "uuid";
      case "textMap":
        return "{ * tstr => tstr }";
      case "oneOf":
        return node.values.map((value) => `"${value}"`).join(" / ");
      case "nullable":
        return `${this.reference(node.inner.node, path, rule)} / null`;
      case "array":
        return `[* ${this.reference(node.element.node, path, rule)}]`;
      default:
        return this.body(node, path, rule);
    }
  }
}

export function isSchema(value: unknown): value is AnySchema {
  return typeof value === "object" && value !== null && "toWire" in value && "node" in value;
}
