// A refused request as a value, and the one place where errors become HTTP: status, code of distribution-spec, body.

import { isTeuError, type ErrorCode } from "@teu/base/errors";
import type { RegistryErrorCode } from "@teu/specs/distribution";

/** One entry of the error body. */
export interface ProblemEntry {
  readonly code: RegistryErrorCode;
  readonly message: string;
  readonly detail?: unknown;
}

/** Thrown inside the server to refuse a request; never leaves it but as an answer. */
export class Problem extends Error {
  readonly status: number;
  readonly entries: readonly ProblemEntry[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    entries: ProblemEntry | readonly ProblemEntry[],
    headers: Readonly<Record<string, string>> = {},
  ) {
    const list = "code" in entries ? [entries] : entries;
    super(list[0]?.message ?? "refused");
    this.status = status;
    this.entries = list;
    this.headers = headers;
  }
}

/** A problem with one entry. */
export function problem(status: number, code: RegistryErrorCode, message: string, detail?: unknown): Problem {
  return new Problem(status, { code, message, ...(detail === undefined ? {} : { detail }) });
}

/** The refusal of a change that would move or remove a tag that this caller may not touch. */
export function tagProtected(tag: string): Problem {
  return problem(403, "DENIED", "the tag may not be changed", { tag });
}

const STATUS: Readonly<Partial<Record<ErrorCode, readonly [number, RegistryErrorCode]>>> = {
  "not-found": [404, "UNKNOWN"],
  invalid: [400, "UNKNOWN"],
  conflict: [409, "UNKNOWN"],
  denied: [403, "DENIED"],
  unsupported: [400, "UNSUPPORTED"],
  timeout: [408, "UNKNOWN"],
  unavailable: [503, "UNKNOWN"],
  exhausted: [507, "UNKNOWN"],
};

/** The answer for anything thrown. What is not a refusal of ours tells the client nothing of the inside. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const known = isTeuError(error) ? STATUS[error.code] : undefined;
  if (known === undefined) return problem(500, "UNKNOWN", "internal error");
  const [status, code] = known;
  if (status === 507) return problem(status, code, "the registry has no space left");
  return problem(status, code, isTeuError(error) && status < 500 ? error.what : "the registry cannot do this now");
}
