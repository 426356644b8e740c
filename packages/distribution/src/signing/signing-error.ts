// Errors of signing, in one form.

import { type ErrorCode, TeuError } from "@teu/base/errors";

/** What a failure says besides its message. */
export interface FailureFacts {
  readonly subject?: string;
  readonly hint?: string;
  readonly cause?: unknown;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** A failure while `op`. */
export function signingError(code: ErrorCode, op: string, message: string, facts: FailureFacts = {}): TeuError {
  return new TeuError({ code, op, message, ...facts });
}
