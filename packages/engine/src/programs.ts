// Where the programs are that an engine starts: the shim and the low-level runtimes.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";

import { TeuError } from "@teu/base/errors";

/** The runtime of containers that name none. */
export const DEFAULT_RUNTIME = "teu-runtime";

/** Runtimes that are looked for by name. */
export const KNOWN_RUNTIMES: readonly string[] = [DEFAULT_RUNTIME, "runc", "crun", "youki", "runsc"];

/** Debian keeps runc in sbin, which a user's PATH may lack. */
const FALLBACK = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The absolute path of a program; null when there is none. Ours are looked for beside this program first. */
export function findProgram(name: string): string | null {
  if (isAbsolute(name)) return isExecutable(name) ? name : null;
  if (name.includes("/")) return null;
  const own = name.startsWith("teu-") ? ownPlaces() : [];
  const path = (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  return [...own, ...path, ...FALLBACK].map((directory) => join(directory, name)).find(isExecutable) ?? null;
}

/** As `findProgram`. @throws TeuError `unsupported` with what to do. */
export function requireProgram(name: string, op: string): string {
  const path = findProgram(name);
  if (path !== null) return path;
  const hint = name.startsWith("teu-") ? "run `npm run build`" : "install it, or name another one with --runtime";
  throw new TeuError({ code: "unsupported", op, subject: name, message: "there is no such program here", hint });
}

function ownPlaces(): string[] {
  // In a CommonJS bundle import.meta is empty, in a module __dirname is not there.
  const here = typeof __dirname === "string" ? __dirname : dirname(new URL(import.meta.url).pathname);
  return [join(here, "../bin"), join(here, "../../bin"), join(here, "../../../bin"), dirname(process.argv[1] ?? "/")];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Absent or not executable: not a program, which is the question.
    return false;
  }
}
