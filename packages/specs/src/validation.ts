// What generated validators (src/gen) are made of, and how the first violation becomes an error that names path and value.
// A validator builds the path only on the way out of a failure: a valid document costs no allocation.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";

/** The first rule that a value breaks. */
export interface Violation {
  /** JSON pointer; "" is the whole document. */
  readonly path: string;
  /** As in "must be string". */
  readonly rule: string;
  readonly value: unknown;
}

/** Answers the first violation, or undefined for a value that fits. */
export type Validator = (value: unknown) => Violation | undefined;

/**
 * `value` as the `T` that `validate` stands for.
 * @throws TeuError `invalid` as in `cannot read config.json: /process/args/0 must be string, is 5`;
 * `detail` has `path` and `value`.
 */
export function validated<T>(value: unknown, document: string, validate: Validator): T {
  const violation = validate(value);
  if (violation === undefined) return value as T;
  const { path, rule } = violation;
  const is = violation.value === undefined ? "" : `, is ${excerpt(violation.value)}`;
  const message = `${path === "" ? "it" : path} ${rule}${is}`;
  throw new TeuError({ code: "invalid", op: `read ${document}`, message, detail: { path, value: violation.value } });
}

/** Any string. */
export const string: Validator = (value) => (typeof value === "string" ? undefined : wrong("must be string", value));

/** true or false. */
export const boolean: Validator = (value) => (typeof value === "boolean" ? undefined : wrong("must be boolean", value));

/** Anything at all. */
export const anything: Validator = () => undefined;

/** A whole number in a range, bounds included. */
export function integer(minimum: number, maximum: number): Validator {
  return (value) => {
    if (!Number.isInteger(value)) return wrong("must be integer", value);
    if ((value as number) < minimum) return wrong(`must be >= ${minimum}`, value);
    return (value as number) > maximum ? wrong(`must be <= ${maximum}`, value) : undefined;
  };
}

/** A string that a pattern matches. */
export function matching(pattern: RegExp): Validator {
  return (value) => {
    if (typeof value !== "string") return wrong("must be string", value);
    if (pattern.test(value)) return undefined;
    return wrong(pattern.source === "." ? "must not be empty" : `must match ${pattern.source}`, value);
  };
}

/** One of the listed values. */
export function oneOf(...allowed: readonly unknown[]): Validator {
  return (value) => {
    if (allowed.includes(value)) return undefined;
    const list = allowed.map((one) => JSON.stringify(one)).join(", ");
    return wrong(allowed.length === 1 ? `must be ${list}` : `must be one of ${list}`, value);
  };
}

/** An array of which every item fits. */
export function items(item: Validator, minimum = 0): Validator {
  return (value) => {
    if (!Array.isArray(value)) return wrong("must be array", value);
    if (value.length < minimum) return wrong(`must have at least ${minimum} item`, value);
    for (let i = 0; i < value.length; i++) {
      const violation = item(value[i]);
      if (violation !== undefined) return at(i, violation);
    }
    return undefined;
  };
}

/** An object used as a map: every member fits, whatever its name. */
export function members(member: Validator): Validator {
  return (value) => {
    if (!isObject(value)) return wrong("must be object", value);
    for (const name of Object.keys(value)) {
      const violation = member(value[name]);
      if (violation !== undefined) return at(name, violation);
    }
    return undefined;
  };
}

/** An object with known members, the first `required` of which must be there; others may be there and are not looked at. */
export function object(required: number, names: readonly string[], checks: readonly Validator[]): Validator {
  return (value) => {
    if (!isObject(value)) return wrong("must be object", value);
    for (let i = 0; i < names.length; i++) {
      const name = names[i] ?? "";
      const member = value[name];
      if (member === undefined) {
        if (i < required) return missing(name);
        continue;
      }
      const violation = checks[i]?.(member);
      if (violation !== undefined) return at(name, violation);
    }
    return undefined;
  };
}

function wrong(rule: string, value: unknown): Violation {
  return { path: "", rule, value };
}

function missing(name: string): Violation {
  return { path: "", rule: `must have ${JSON.stringify(name)}`, value: undefined };
}

// The violation of a member, seen from the object around it.
function at(name: string | number, inner: Violation): Violation {
  const step = String(name).replaceAll("~", "~0").replaceAll("/", "~1");
  return { ...inner, path: `/${step}${inner.path}` };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Hostile values can be long; an error is read by people.
function excerpt(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
