// Making the runtime's errors. Some texts are read by callers (containerd, podman, CRI-O grep them): those are said verbatim.
// portable: no host types here.

import { type ErrorCode, TeuError } from "@teu/base/errors";

/** An error whose text callers look for; the command line prints exactly `text`. */
export function verbatim(code: ErrorCode, text: string, cause?: unknown): TeuError {
  return new TeuError({
    code,
    op: "run command",
    message: text,
    detail: { verbatim: true },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** config.json asks for what is wrong or impossible; `path` is the JSON path. */
export function invalidConfig(path: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "use config.json", subject: path, message });
}

/** The same for what this runtime or this host cannot do. */
export function unsupportedConfig(path: string, message: string): TeuError {
  return new TeuError({ code: "unsupported", op: "use config.json", subject: path, message });
}
