// File system errors of storage as TeuErrors.

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  EEXIST: "already-exists",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOSPC: "exhausted",
  EDQUOT: "exhausted",
  EMFILE: "unavailable",
  ENFILE: "unavailable",
  ENOTDIR: "invalid",
};

/** True for a system error with this name. */
export function isErrno(error: unknown, name: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === name;
}

/** The TeuError for a failed file operation; a TeuError passes unchanged. */
export function fileError(op: string, subject: string, error: unknown): TeuError {
  if (isTeuError(error)) return error;
  const code = CODES[(error as NodeJS.ErrnoException).code ?? ""] ?? "internal";
  const hint = code === "exhausted" ? "free some space, then try again" : undefined;
  return new TeuError({
    code,
    op,
    subject,
    message: "file system refused",
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
