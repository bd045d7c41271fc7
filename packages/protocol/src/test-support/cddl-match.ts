// Holds decoded CBOR against parsed CDDL. Returns the path of the first thing that does not match.

import type { CddlMember, CddlType } from "./cddl-parser.js";

type Rules = ReadonlyMap<string, CddlType>;
/** `undefined`: it matches. */
type Verdict = string | undefined;

const builtIn: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  tstr: (value) => typeof value === "string",
  bstr: (value) => value instanceof Uint8Array,
  bool: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

const asNumber = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

export function cddlMismatch(rules: Rules, rule: string, value: unknown, path = rule): Verdict {
  const type = rules.get(rule);
  if (type === undefined) {
    const check = builtIn[rule];
    if (check === undefined) {
      throw new Error(`there is no rule ${rule}`);
    }
    return check(value) ? undefined : `${path}: not ${rule}`;
  }
  return mismatch(rules, type, value, path);
}

function mismatch(rules: Rules, type: CddlType, value: unknown, path: string): Verdict {
  switch (type.kind) {
    case "name":
      return cddlMismatch(rules, type.name, value, path);
    case "literal":
      return asNumber(value) === type.value ? undefined : `${path}: not ${type.value}`;
    case "range": {
      const number = asNumber(value);
      const isInside = typeof number === "number" && number >= type.min && number <= type.max;
      return isInside ? undefined : `${path}: not in ${type.min}..${type.max}`;
    }
    case "size":
      return value instanceof Uint8Array && value.length !== type.bytes
        ? `${path}: not ${type.bytes} bytes`
        : mismatch(rules, type.inner, value, path);
    case "choice": {
      const verdicts = type.options.map((option) => mismatch(rules, option, value, path));
      return verdicts.includes(undefined) ? undefined : verdicts.join("; ");
    }
    case "array":
      return arrayMismatch(rules, type.members, value, path);
    case "map":
      return mapMismatch(rules, type.members, value, path);
  }
}

function arrayMismatch(
  rules: Rules,
  members: readonly CddlMember[],
  value: unknown,
  path: string,
): Verdict {
  if (!Array.isArray(value)) {
    return `${path}: not an array`;
  }
  let at = 0;
  for (const { occurrence, key, type } of members) {
    let count = 0;
    while (at < value.length && (occurrence === "any" || count === 0)) {
      const verdict = mismatch(rules, type, value[at], `${path}/${key ?? at}`);
      if (verdict !== undefined) {
        if (occurrence !== "once") {
          break;
        }
        return verdict;
      }
      at++;
      count++;
    }
    if (occurrence === "once" && count === 0) {
      return `${path}: ${key ?? "an element"} is missing`;
    }
  }
  return at === value.length ? undefined : `${path}/${at}: does not fit`;
}

function mapMismatch(
  rules: Rules,
  members: readonly CddlMember[],
  value: unknown,
  path: string,
): Verdict {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${path}: not a map`;
  }
  const left = new Map<string, unknown>(Object.entries(value));
  for (const { occurrence, key, type, keyType } of members) {
    if (key === undefined) {
      const verdict = restMismatch(rules, { type, keyType }, left, path);
      if (verdict !== undefined) {
        return verdict;
      }
      left.clear();
    } else if (left.has(key)) {
      const verdict = mismatch(rules, type, left.get(key), `${path}/${key}`);
      if (verdict !== undefined) {
        return verdict;
      }
      left.delete(key);
    } else if (occurrence === "once") {
      return `${path}: ${key} is missing`;
    }
  }
  return left.size === 0 ? undefined : `${path}: unknown ${[...left.keys()].join(", ")}`;
}

/** What a member like `* tstr => any` says of the entries that no other took. */
function restMismatch(
  rules: Rules,
  member: Pick<CddlMember, "type" | "keyType">,
  left: ReadonlyMap<string, unknown>,
  path: string,
): Verdict {
  for (const [name, item] of left) {
    const verdict =
      mismatch(rules, member.keyType as CddlType, name, path) ??
      mismatch(rules, member.type, item, `${path}/${name}`);
    if (verdict !== undefined) {
      return verdict;
    }
  }
  return undefined;
}
