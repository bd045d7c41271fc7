// The field tables of `docs/protocol.md`: one row a field, nested ones indented by their path.

import type { Schema, SchemaNode } from "../schema.js";
import { isSchema, kebab, type MessageModule } from "./cddl-printer.js";

export class DocTables {
  /** Export names of schemas, for their comments and the names of simple types. */
  private readonly names = new Map<SchemaNode, string>();
  private readonly comments = new Map<string, readonly string[]>();

  constructor(modules: readonly MessageModule[]) {
    for (const { exports, comments } of modules) {
      for (const [name, schema] of Object.entries(exports)) {
        if (isSchema(schema)) {
          this.names.set(schema.node, name);
        }
      }
      for (const [key, lines] of comments) {
        this.comments.set(key, lines);
      }
    }
  }

  /** Request or response as a Markdown table. */
  table(schema: Schema<unknown>): string {
    const rows = this.rows(schema.node, this.names.get(schema.node) ?? "", "");
    return rows.length === 0
      ? "No fields."
      : ["| field | type | meaning |", "| --- | --- | --- |", ...rows].join("\n");
  }

  private rows(node: SchemaNode, key: string, prefix: string): string[] {
    if (node.kind !== "map" && node.kind !== "tuple") {
      return [];
    }
    return node.fields.flatMap(([name, schema]) => {
      const fieldKey = `${key}/${name}`;
      const comment = this.comments.get(fieldKey) ?? this.ofType(schema.node);
      const absent = schema.isOptional ? [`May be absent: reads as ${spoken(schema.absent)}.`] : [];
      const meaning = [...comment, ...absent].join(" ").replaceAll("|", "\\|");
      const { element, suffix } = innermost(schema.node);
      const path = `${prefix}${name}${suffix}`;
      const nestedKey = this.names.get(element) ?? fieldKey;
      return [
        `| \`${path}\` | ${this.type(schema.node)} | ${meaning} |`,
        ...this.rows(element, nestedKey, `${path}.`),
      ];
    });
  }

  /** What is said once for all fields of an error's type. */
  private ofType(node: SchemaNode): readonly string[] {
    const name = this.names.get(node);
    return name?.startsWith("error") ? (this.comments.get(name) ?? []) : [];
  }

  private type(node: SchemaNode): string {
    switch (node.kind) {
      case "integer": {
        const name = this.names.get(node);
        return name === undefined
          ? `${node.min} to ${node.max}`
          : kebab(name).replace("-", " ").replace("error number", "error code");
      }
      case "nullable":
        return `${this.type(node.inner.node)} or null`;
      case "array":
        return `list of ${this.type(node.element.node)}`;
      case "oneOf":
        return node.values.map((value) => `"${value}"`).join(", ");
      case "textMap":
        return "map of text to text";
      case "tuple":
        return "array";
      case "uuid":
        return "UUID";
      default:
        return node.kind;
    }
  }
}

/** What a list or nullable holds in the end. */
function innermost(node: SchemaNode): { readonly element: SchemaNode; readonly suffix: string } {
  if (node.kind === "array") {
    const { element, suffix } = innermost(node.element.node);
    return { element, suffix: `[]${suffix}` };
  }
  return node.kind === "nullable" ? innermost(node.inner.node) : { element: node, suffix: "" };
}

function spoken(absent: unknown): string {
  return Array.isArray(absent) ? "empty" : `\`${JSON.stringify(absent)}\``;
}
