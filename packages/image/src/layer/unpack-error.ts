// The one form of what goes wrong with an entry while a layer is unpacked.

import { isTeuError, TeuError } from "@teu/base/errors";

const OP = "unpack layer entry";

/** `cause` as the failure of the entry `subject`; one that is such a failure already stays itself. */
export function unpackError(subject: string, cause: unknown): TeuError {
  if (isTeuError(cause) && cause.op === OP) return cause;
  const code = isTeuError(cause) ? cause.code : "internal";
  return new TeuError({ code, op: OP, subject, message: "layer cannot be unpacked", cause });
}
