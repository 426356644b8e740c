// Runs cargo, which may not be in PATH.

import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT } from "./step.ts";

/** Runs `cargo COMMAND ...` in the checkout, quietly. Its output goes to stderr. Throws when it is missing or fails. */
export function cargo(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const path = [process.env["PATH"] ?? "", join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "bin")].join(
    delimiter,
  );
  const quiet = ["--quiet", ...argv.slice(1)];
  const result = spawnSync("cargo", [argv[0] ?? "", ...quiet], {
    cwd: ROOT,
    env: { ...process.env, PATH: path, ...env },
    stdio: ["ignore", 2, 2],
  });
  if (result.error !== undefined) throw new Error("cargo is missing: install Rust 1.95 or newer");
  if (result.status !== 0) throw new Error(`cargo ${argv.join(" ")} failed; its output is above`);
}
