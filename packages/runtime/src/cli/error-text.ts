// The one place where errors become what the command line says.
// portable: no host types here.

import { errorText, isTeuError } from "@teu/base/errors";

/** The text of an error: verbatim ones as they are, because callers compare them; the others in full. */
export function commandErrorText(error: unknown): string {
  if (!isTeuError(error)) return errorText(error);
  if (error.detail["verbatim"] !== true)
    return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  return error.cause === undefined ? error.what : `${error.what}: ${errorText(error.cause)}`;
}
