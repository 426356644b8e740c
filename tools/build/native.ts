// The Node-API addon, with cargo. The file is replaced by rename: a process that has the old one mapped keeps it.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT, type Step } from "./step.ts";

/** dist/native/teu-files.node. */
export const addonStep: Step = {
  name: "file addon",
  inputs: ["native/node/Cargo.toml", "native/node/Cargo.lock", "native/node/src/**/*.rs", "native/node/build.rs"],
  outputs: ["dist/native/teu-files.node"],
  run: () => {
    cargo(["build", "--release", "--locked", "-j2", "--manifest-path", "native/node/Cargo.toml"]);
    replaceFile("native/node/target/release/libteu_files.so", "dist/native/teu-files.node");
  },
};

/** Runs cargo in the checkout; throws with what to do when it is missing or fails. */
export function cargo(argv: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const path = [process.env["PATH"] ?? "", join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "bin")].join(delimiter);
  const result = spawnSync("cargo", argv, { cwd: ROOT, env: { ...process.env, PATH: path, ...env }, stdio: ["ignore", 2, 2] });
  if (result.error !== undefined) throw new Error("cargo is missing: install Rust 1.95 or newer");
  if (result.status !== 0) throw new Error(`cargo ${argv.join(" ")} failed; its output is above`);
}

/** Copies `from` to `to` (both below the checkout) so that `to` is never half-written. */
export function replaceFile(from: string, to: string): void {
  const target = join(ROOT, to);
  mkdirSync(join(target, ".."), { recursive: true });
  copyFileSync(join(ROOT, from), `${target}.new`);
  renameSync(`${target}.new`, target);
}
