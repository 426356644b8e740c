// The shim's command line: one program starts it, so there is one spelling.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";

/** What was asked for. */
export type ShimCommand =
  | { readonly kind: "run" | "cleanup"; readonly config: string }
  | { readonly kind: "mount"; readonly file: string }
  | { readonly kind: "unmount"; readonly path: string; readonly force: boolean }
  | { readonly kind: "version" }
  | { readonly kind: "help" };

/** What `--help` prints. */
export const USAGE = `usage: teu-shim --config FILE              become the parent of one container
       teu-shim --config FILE --cleanup    tidy up after a shim that was killed
       teu-shim --mount FILE               mount an image's layers, and end
       teu-shim --unmount PATH [--force]   end such a mount
       teu-shim --version`;

/** @throws TeuError `invalid` for anything that `USAGE` does not show. */
export function parseArguments(args: readonly string[]): ShimCommand {
  const [first, path, more, ...rest] = args;
  const whole = path !== undefined && rest.length === 0;
  if (first === "--mount" && whole && more === undefined) return { kind: "mount", file: path };
  if (first === "--unmount" && whole && (more === undefined || more === "--force"))
    return { kind: "unmount", path, force: more === "--force" };
  let config: string | undefined;
  let cleanup = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--version" || arg === "-v") return { kind: "version" };
    if (arg === "--help" || arg === "-h") return { kind: "help" };
    if (arg === "--cleanup") cleanup = true;
    else if (arg === "--config" && args[i + 1] !== undefined) config = args[++i];
    else if (arg.startsWith("--config=")) config = arg.slice("--config=".length);
    else throw usageError(`unexpected ${JSON.stringify(arg)}`);
  }
  if (config === undefined) throw usageError("--config FILE is missing");
  return { kind: cleanup ? "cleanup" : "run", config };
}

function usageError(message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read arguments", message, hint: "see teu-shim --help" });
}
