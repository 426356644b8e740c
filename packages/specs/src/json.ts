// Strict JSON from strangers: I-JSON (RFC 7493: no duplicate names, no lone surrogates) with limits on length and depth.
// The host's JSON.parse does the work; what it lets pass is found by counting, which costs little even in an interpreter:
// with a duplicate name, the text has more string tokens than the value has names and strings. Only then, or when parsing
// failed, the text is read once more, slowly, to say where and why (json-position.ts).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { findJsonFault } from "./json-position.ts";

/** `sys:host`'s isStrictJson. */
export type StrictCheck = (text: string, maxDepth: number) => boolean;

/** Bounds of one document. */
export interface JsonLimits {
  /** What the document is called in errors, as in "config.json". Default "JSON". */
  readonly document?: string;
  /** Length in UTF-16 units; default 4 Mi. */
  readonly maxLength?: number;
  /** Nesting of arrays and objects; default 64. */
  readonly maxDepth?: number;
  /** A quick look at a text that JSON.parse takes: true when it is surely strict. An interpreter needs it to be done outside. */
  readonly isStrict?: StrictCheck;
}

/**
 * The value of a JSON text.
 * @throws TeuError `invalid`: too long, nested too deeply, not JSON, a duplicate name; with line and column.
 */
export function parseJson(text: string, limits: JsonLimits = {}): unknown {
  const { document = "JSON", maxLength = 4 << 20, maxDepth = 64, isStrict } = limits;
  if (text.length > maxLength) {
    const message = `${text.length} characters are more than the limit of ${maxLength}`;
    throw new TeuError({ code: "invalid", op: `read ${document}`, message });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw faultError(text, document, maxDepth, error);
  }
  if (isStrict?.(text, maxDepth) === true) return value;
  const escapes = text.includes("\\");
  const bare = escapes ? text.replace(/\\[^]/g, "") : text;
  if (countStrings(value, maxDepth) !== (bare.split('"').length - 1) / 2) throw faultError(text, document, maxDepth);
  // A lone surrogate can only be written as an escape.
  if (escapes && /\\u[dD][89a-fA-F]/.test(text) && findJsonFault(text, maxDepth) !== undefined) {
    throw faultError(text, document, maxDepth);
  }
  return value;
}

// Names and string values below `value`; NaN, which equals nothing, when nested deeper than allowed.
function countStrings(value: unknown, depthLeft: number): number {
  if (typeof value === "string") return 1;
  if (typeof value !== "object" || value === null) return 0;
  if (depthLeft === 0) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    // Long lists are lists of strings: no call for those.
    for (let i = 0; i < value.length; i++)
      count += typeof value[i] === "string" ? 1 : countStrings(value[i], depthLeft - 1);
    return count;
  }
  const record = value as Record<string, unknown>;
  const names = Object.keys(record);
  for (const name of names) count += countStrings(record[name], depthLeft - 1);
  return count + names.length;
}

function faultError(text: string, document: string, maxDepth: number, cause?: unknown): TeuError {
  const fault = findJsonFault(text, maxDepth);
  const message = fault === undefined ? "is not JSON" : `${fault.what} at line ${fault.line}, column ${fault.column}`;
  return new TeuError({ code: "invalid", op: `read ${document}`, message, ...(fault === undefined ? { cause } : {}) });
}
