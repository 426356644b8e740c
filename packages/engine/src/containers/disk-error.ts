// Failures of node:fs on the engine's own directories, in our codes: a full disk above all.

import { isTeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";

/** The error to throw for one that was caught while `op` was done. Errors that are ours, or bugs, stay as they are. */
export function diskError(op: string, error: unknown): unknown {
  const { code, path } = error as NodeJS.ErrnoException;
  if (isTeuError(error) || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  return fileError(op, path ?? "", error);
}
