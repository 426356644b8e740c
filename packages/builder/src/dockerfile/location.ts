// Where in a Dockerfile something stands, and the error that says so.

import { type ErrorCode, TeuError } from "@teu/base/errors";

/** Physical lines of an instruction, counted from 1, both included. */
export interface Location {
  /** Name of the file as people gave it. */
  readonly file: string;
  readonly line: number;
  readonly endLine: number;
}

/** An error about one place: `cannot parse "Dockerfile:3": ...`. */
export function dockerfileError(
  at: Location,
  message: string,
  options: { hint?: string | undefined; code?: ErrorCode; cause?: unknown } = {},
): TeuError {
  return new TeuError({
    code: options.code ?? "invalid",
    op: "parse",
    subject: `${at.file}:${at.line}`,
    message,
    detail: { file: at.file, line: at.line, endLine: at.endLine },
    ...(options.hint === undefined ? {} : { hint: options.hint }),
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}

/** An error while doing one instruction: `cannot build "Dockerfile:3": ...`. */
export function buildError(
  at: Location,
  message: string,
  options: { hint?: string | undefined; code?: ErrorCode; cause?: unknown } = {},
): TeuError {
  return new TeuError({
    code: options.code ?? "invalid",
    op: "build",
    subject: `${at.file}:${at.line}`,
    message,
    detail: { file: at.file, line: at.line, endLine: at.endLine },
    ...(options.hint === undefined ? {} : { hint: options.hint }),
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}
