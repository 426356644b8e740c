// Reads the fields of one JSON object strictly: every field has a type, unknown ones are refused, errors name path and value.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";

/** Which document a value comes from, for errors. */
export interface FieldContext {
  /** "read shim.json" */
  readonly op: string;
  /** Path of the object: "" for the document, else "network.ports[0]". */
  readonly path: string;
}

/** One object of a document. Ask for each field, then `end()`. */
export class FieldReader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #context: FieldContext;
  readonly #asked = new Set<string>();

  /** @throws TeuError `invalid` when `value` is no object. */
  constructor(value: unknown, context: FieldContext) {
    this.#context = context;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw invalid(context, value, "want an object");
    this.#object = value as Readonly<Record<string, unknown>>;
  }

  /** Text of at most `limit` characters without NUL. */
  string(name: string, limit = 4096): string {
    const value = this.#take(name);
    if (typeof value !== "string" || value.length > limit || value.includes("\0")) throw this.error(name, "want text");
    return value;
  }

  /** Text that `pattern` matches; `want` says what that is. */
  match(name: string, pattern: RegExp, want: string): string {
    const value = this.string(name);
    if (!pattern.test(value)) throw this.error(name, `want ${want}`);
    return value;
  }

  /** An absolute path without ".." in it. */
  path(name: string): string {
    const value = this.string(name);
    if (!value.startsWith("/") || value.split("/").includes("..")) throw this.error(name, "want an absolute path");
    return value;
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#take(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.error(name, `want a whole number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    if (typeof value !== "boolean") throw this.error(name, "want true or false");
    return value;
  }

  /** Like `boolean`, false when absent. */
  flag(name: string): boolean {
    return this.has(name) ? this.boolean(name) : (this.#take(name), false);
  }

  oneOf<const T extends string>(name: string, values: readonly T[]): T {
    const value = this.#take(name);
    const found = values.find((other) => other === value);
    if (found === undefined) throw this.error(name, `want one of ${values.join(", ")}`);
    return found;
  }

  /** At most `limit` items, each read by `item`. */
  list<T>(name: string, limit: number, item: (value: unknown, context: FieldContext) => T): T[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length > limit) throw this.error(name, `want a list of at most ${limit}`);
    return value.map((entry, i) => item(entry, { op: this.#context.op, path: `${this.#at(name)}[${i}]` }));
  }

  /** A list of texts. */
  strings(name: string, limit: number): string[] {
    return this.list(name, limit, (value, context) => {
      if (typeof value !== "string" || value.includes("\0")) throw invalid(context, value, "want text");
      return value;
    });
  }

  object(name: string): FieldReader {
    return new FieldReader(this.#take(name), { op: this.#context.op, path: this.#at(name) });
  }

  /** Any value, unchecked. */
  unknown(name: string): unknown {
    return this.#take(name);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== undefined;
  }

  isNull(name: string): boolean {
    return this.#take(name) === null;
  }

  /** @throws TeuError `invalid` when there is a field that nobody asked for. */
  end(): void {
    for (const name of Object.keys(this.#object)) {
      if (!this.#asked.has(name)) throw this.error(name, "unknown field");
    }
  }

  /** An `invalid` error about field `name`, with its value. */
  error(name: string, want: string): TeuError {
    return invalid({ op: this.#context.op, path: this.#at(name) }, this.#object[name], want);
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  #at(name: string): string {
    return this.#context.path === "" ? name : `${this.#context.path}.${name}`;
  }
}

function invalid(context: FieldContext, value: unknown, want: string): TeuError {
  const shown = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 100);
  const where = context.path === "" ? "" : `${context.path}: `;
  return new TeuError({ code: "invalid", op: context.op, message: `${where}${want}, found ${shown}` });
}
