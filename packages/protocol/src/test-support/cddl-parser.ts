// Reads the part of CDDL (RFC 8610) that `millrace.cddl` uses. It knows nothing of our schemas: it reads the
// file as a stranger would.

export type CddlType =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "literal"; readonly value: number | string }
  | { readonly kind: "range"; readonly min: number; readonly max: number }
  | { readonly kind: "size"; readonly inner: CddlType; readonly bytes: number }
  | { readonly kind: "choice"; readonly options: readonly CddlType[] }
  | { readonly kind: "array" | "map"; readonly members: readonly CddlMember[] };

export interface CddlMember {
  readonly occurrence: "once" | "optional" | "any";
  /** A bareword key of a map; a name without meaning in an array. */
  readonly key: string | undefined;
  /** The type of keys, with `=>`. */
  readonly keyType: CddlType | undefined;
  readonly type: CddlType;
}

const tokenPattern =
  /\s+|;[^\n]*|(?<token>=>|\.\.|\.size\b|"[^"]*"|-?\d+|[A-Za-z][A-Za-z0-9-]*|[=:,?*/[\]{}()])/gy;

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < text.length) {
    const at = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match === null) {
      throw new Error(`no CDDL at ${JSON.stringify(text.slice(at, at + 40))}`);
    }
    const token = match.groups?.["token"];
    if (token !== undefined) {
      tokens.push(token);
    }
  }
  return tokens;
}

class Parser {
  private readonly tokens: readonly string[];
  private at = 0;

  constructor(text: string) {
    this.tokens = tokenize(text);
  }

  rules(): ReadonlyMap<string, CddlType> {
    const rules = new Map<string, CddlType>();
    while (this.at < this.tokens.length) {
      const name = this.next();
      this.expect("=");
      if (rules.has(name)) {
        throw new Error(`the rule ${name} comes twice`);
      }
      rules.set(name, this.type());
    }
    return rules;
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) {
      throw new Error("the CDDL ends too early");
    }
    return token;
  }

  private expect(token: string): void {
    const found = this.next();
    if (found !== token) {
      throw new Error(`expected ${token}, found ${found}`);
    }
  }

  private take(token: string): boolean {
    const isThere = this.tokens[this.at] === token;
    this.at += isThere ? 1 : 0;
    return isThere;
  }

  private type(): CddlType {
    const options = [this.single()];
    while (this.take("/")) {
      options.push(this.single());
    }
    return options.length === 1 ? (options[0] as CddlType) : { kind: "choice", options };
  }

  private single(): CddlType {
    const inner = this.primary();
    return this.take(".size") ? { kind: "size", inner, bytes: Number(this.next()) } : inner;
  }

  private primary(): CddlType {
    const token = this.next();
    if (token === "(") {
      const inner = this.type();
      this.expect(")");
      return inner;
    }
    if (token === "[") {
      return { kind: "array", members: this.members("]") };
    }
    if (token === "{") {
      return { kind: "map", members: this.members("}") };
    }
    if (token.startsWith('"')) {
      return { kind: "literal", value: token.slice(1, -1) };
    }
    if (/^-?\d/.test(token)) {
      const min = Number(token);
      return this.take("..")
        ? { kind: "range", min, max: Number(this.next()) }
        : { kind: "literal", value: min };
    }
    return { kind: "name", name: token };
  }

  private members(close: string): CddlMember[] {
    const members: CddlMember[] = [];
    while (!this.take(close)) {
      members.push(this.member());
      if (!this.take(",") && this.tokens[this.at] !== close) {
        throw new Error(`expected , or ${close}, found ${this.tokens[this.at]}`);
      }
    }
    return members;
  }

  private member(): CddlMember {
    const occurrence = this.occurrence();
    if (this.tokens[this.at + 1] === ":") {
      const key = this.next();
      this.expect(":");
      return { occurrence, key, keyType: undefined, type: this.type() };
    }
    const type = this.type();
    if (this.take("=>")) {
      return { occurrence, key: undefined, keyType: type, type: this.type() };
    }
    return { occurrence, key: undefined, keyType: undefined, type };
  }

  private occurrence(): CddlMember["occurrence"] {
    if (this.take("?")) {
      return "optional";
    }
    return this.take("*") ? "any" : "once";
  }
}

export function parseCddl(text: string): ReadonlyMap<string, CddlType> {
  return new Parser(text).rules();
}
