// Signed and security-relevant JSON: strict (no duplicate names), of a bounded size, and read field by field. A field that is not
// expected, or not of its type, makes the whole unusable: two readers must never see two meanings (containers/image reads so, too).

import type { TeuError } from "@teu/base/errors";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

import { signingError } from "./signing-error.ts";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads documents of one kind; every complaint names it. */
export class StrictJson {
  readonly #document: string;

  constructor(document: string) {
    this.#document = document;
  }

  /** The object that the bytes are. @throws TeuError `invalid`. */
  parse(bytes: Uint8Array, maxLength: number): JsonObject {
    if (bytes.length > maxLength) throw this.fault(`${bytes.length} bytes, limit is ${maxLength}`);
    return this.object(parseJson(decodeUtf8(bytes), { document: this.#document, maxLength, maxDepth: 32 }), "it");
  }

  object(value: unknown, where: string): JsonObject {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    throw this.#wrong(value, where, "an object");
  }

  array(value: unknown, where: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#wrong(value, where, "a list");
  }

  text(value: unknown, where: string): string {
    if (typeof value === "string") return value;
    throw this.#wrong(value, where, "a text");
  }

  /** Standard base64, with its padding and nothing else: what else decodes the same has another meaning elsewhere. */
  base64(value: unknown, where: string): Buffer {
    const text = this.text(value, where);
    const bytes = Buffer.from(text, "base64");
    if (bytes.toString("base64") !== text) throw this.fault(`${where} is not base64`);
    return bytes;
  }

  /** The value of `name`, which must be there. */
  field(object: JsonObject, name: string, where: string): unknown {
    if (Object.hasOwn(object, name)) return object[name];
    throw this.fault(`${where} has no ${name}`);
  }

  /** Nothing but these, of which `needed` must be there. */
  onlyFields(object: JsonObject, where: string, needed: readonly string[], optional: readonly string[] = []): void {
    for (const name of needed) this.field(object, name, where);
    for (const name of Object.keys(object)) {
      if (!needed.includes(name) && !optional.includes(name))
        throw this.fault(`${where} has ${JSON.stringify(name.slice(0, 100))}, which is not known`);
    }
  }

  fault(message: string): TeuError {
    return signingError("invalid", `read ${this.#document}`, message);
  }

  #wrong(value: unknown, where: string, wanted: string): TeuError {
    const is = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
    return this.fault(value === undefined ? `${where} is missing` : `${where} must be ${wanted}, is ${is}`);
  }
}
