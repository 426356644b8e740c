// Holds a YAML document against the schema. What is wrong is said with path, value and line, all of it at once.

import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from "yaml";

import { type JsonSchema, resolved } from "./json-schema.ts";

/** Something wrong. */
export interface Fault {
  /** "rules[0].users.ann"; "" is the whole. */
  readonly path: string;
  /** 1 is the first; absent when unknown. */
  readonly line?: number;
  readonly message: string;
}

/** The document's value and what is wrong with it: it is of the schema's type when nothing is. */
export function validate(
  document: Document.Parsed,
  lines: LineCounter,
  schema: JsonSchema,
  path: string = "",
): { readonly value: unknown; readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const value = new Walk(document, lines, faults).value(document.contents, schema, path);
  return { value, faults };
}

class Walk {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #faults: Fault[];

  constructor(document: Document.Parsed, lines: LineCounter, faults: Fault[]) {
    this.#document = document;
    this.#lines = lines;
    this.#faults = faults;
  }

  value(given: Node | null, reference: JsonSchema, path: string): unknown {
    const schema = resolved(reference);
    const node = isAlias(given) ? (given.resolve(this.#document) ?? null) : given;
    if (schema.type === "object")
      return isMap(node) ? this.#object(node, schema, path) : this.#wrong(node, schema, path);
    if (schema.type === "array") {
      if (!isSeq(node)) return this.#wrong(node, schema, path);
      if (node.items.length < (schema.minItems ?? 0)) this.#fault(node, path, "must not be empty");
      return node.items.map((item, i) => this.value(item as Node, schema.items ?? {}, `${path}[${i}]`));
    }
    const value = isScalar(node) ? node.value : undefined;
    const fault = scalarFault(value, schema);
    if (fault === "form") return this.#wrong(node, schema, path);
    if (fault !== undefined) this.#fault(node, path, `${shown(value, schema)} ${fault}`);
    return value;
  }

  #object(node: YAMLMap, schema: JsonSchema, path: string): Record<string, unknown> {
    const known = schema.properties ?? {};
    const entries = node.items.map(({ key, value }): [string, unknown] => {
      const name = isScalar(key) ? String(key.value) : "";
      const below = path === "" ? name : `${path}.${name}`;
      const own = Object.hasOwn(known, name) ? known[name] : undefined;
      const member = own ?? (schema.additionalProperties === false ? undefined : schema.additionalProperties);
      if (member === undefined) {
        this.#fault(key as Node, below, `is no key here; known are ${Object.keys(known).join(", ")}`);
        return [name, undefined];
      }
      return [name, this.value(value as Node | null, member, below)];
    });
    const value = Object.fromEntries(entries);
    for (const name of schema.required ?? [])
      if (!Object.hasOwn(value, name)) this.#fault(node, path === "" ? name : `${path}.${name}`, "is missing");
    return value;
  }

  #wrong(node: Node | null, schema: JsonSchema, path: string): undefined {
    const value = isScalar(node)
      ? shown(node.value, schema)
      : isMap(node)
        ? "a mapping"
        : isSeq(node)
          ? "a list"
          : "nothing";
    this.#fault(node, path, `is ${value}, want ${wanted(schema)}`);
    return undefined;
  }

  #fault(node: Node | null, path: string, message: string): void {
    const start = node?.range?.[0];
    const line = start === undefined ? {} : { line: this.#lines.linePos(start).line };
    this.#faults.push({ path, message, ...line });
  }
}

// "form" when it is of another kind altogether, or not written as it has to be.
function scalarFault(value: unknown, schema: JsonSchema): string | undefined {
  if (schema.enum !== undefined)
    return schema.enum.includes(value as string) ? undefined : `is none of ${schema.enum.join(", ")}`;
  if (schema.type === "boolean") return typeof value === "boolean" ? undefined : "form";
  if (schema.type === "string") {
    if (typeof value !== "string") return "form";
    if (value.length < (schema.minLength ?? 0)) return "is empty";
    return schema.pattern === undefined || new RegExp(schema.pattern).test(value) ? undefined : "form";
  }
  if (typeof value !== "number" || (schema.type === "integer" && !Number.isSafeInteger(value))) return "form";
  const { minimum, maximum, exclusiveMinimum } = schema;
  if (minimum !== undefined && value < minimum) return `is less than ${minimum}`;
  if (maximum !== undefined && value > maximum) return `is more than ${maximum}`;
  return exclusiveMinimum !== undefined && value <= exclusiveMinimum
    ? `must be more than ${exclusiveMinimum}`
    : undefined;
}

const KINDS = {
  object: "a mapping as in {key: value}",
  array: "a list as in [a, b]",
  string: "a text, in quotes if it looks like something else",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function wanted(schema: JsonSchema): string {
  if (schema.type === undefined) return `one of ${(schema.enum ?? []).join(", ")}`;
  // What a mapping is called is of no help to who wrote something else.
  if (schema.type === "object" || schema.type === "array") return KINDS[schema.type];
  const { title = KINDS[schema.type], examples: [example] = [] } = schema;
  return example === undefined ? title : `${title}, such as ${JSON.stringify(example)}`;
}

function shown(value: unknown, schema: JsonSchema): string {
  if (schema["x-secret"] === true) return "not shown here";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}
