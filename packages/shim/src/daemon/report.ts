// The one line on fd 3 that tells the starter how it went.
// portable: no host types here.

import { TeuError, errorText, isTeuError } from "@teu/base/errors";
import type { TeuErrorJson } from "@teu/base/errors";
import { isSysError } from "@teu/sys/sys-error";
import type { Kernel } from "@teu/sys/kernel";
import type { ShimReport } from "../protocol.ts";
import { REPORT_FD } from "./daemonize.ts";

/** Says once how it went, and closes fd 3; later reports are dropped, since the number then belongs to something else. */
export class Reporter {
  readonly #kernel: Kernel;
  #open = true;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A starter that is gone, or never wanted a report, is no reason to stop: nobody starts the container, and it times out. */
  send(report: ShimReport): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#kernel.fs.write(REPORT_FD, `${JSON.stringify(report)}\n`);
      this.#kernel.fs.close(REPORT_FD);
    } catch (error) {
      if (!isSysError(error)) throw error;
    }
  }

  /** The same for a failure. */
  fail(error: unknown, op: string): void {
    this.send({ ok: false, error: errorJson(error, op) });
  }
}

/** Anything thrown as the JSON of a `TeuError`: a failed system call becomes one with the closest code. */
export function errorJson(error: unknown, op: string): TeuErrorJson {
  return toTeuError(error, op).toJSON();
}

/** Anything thrown as a `TeuError`. */
export function toTeuError(error: unknown, op: string): TeuError {
  if (isTeuError(error)) return error;
  if (!isSysError(error)) return new TeuError({ code: "internal", op, message: errorText(error) });
  const codes = {
    ENOENT: "not-found",
    EACCES: "denied",
    EPERM: "denied",
    EEXIST: "already-exists",
    ENOSPC: "exhausted",
    EMFILE: "exhausted",
    ENFILE: "exhausted",
    ENOMEM: "exhausted",
    ENOSYS: "unsupported",
    EOPNOTSUPP: "unsupported",
  } as const;
  const code = codes[error.errno as keyof typeof codes] ?? "internal";
  return new TeuError({ code, op, message: error.message });
}
