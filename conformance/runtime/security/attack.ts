// The attacker's tools: attack.c, compiled once and put into bundles or run on the host, and swaps that race with the runtime.

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, rmdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Spec } from "@teu/specs/runtime";
import { type Bench, type Bundle, Skip, withProcess } from "../case.ts";

const SOURCE = fileURLToPath(new URL("attack.c", import.meta.url));
let program = "";

/** Path of the compiled attack.c; removed when this process ends. */
export function attackProgram(): string {
  if (program !== "") return program;
  const directory = mkdtempSync(join(tmpdir(), "teu-attack-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "attack");
  const result = spawnSync("gcc", ["-O2", "-static", "-o", path, SOURCE], { encoding: "utf8" });
  if (result.error !== undefined) throw new Skip("gcc is missing");
  if (result.status !== 0) throw new Error(`attack.c does not compile: ${result.stderr}`);
  program = path;
  return path;
}

/** Puts it into a bundle as /bin/attack. */
export function armBundle(bundle: Bundle): Bundle {
  copyFileSync(attackProgram(), join(bundle.rootfs, "bin/attack"));
  return bundle;
}

/** Exchanges two names of one directory on the host, as fast as can be, until the case ends (or `stop` is called). */
export function keepSwapping(bench: Bench, a: string, b: string): () => void {
  return attackOnHost(bench, "swap", a, b);
}

/** A console socket that takes every terminal; its path. */
export function consoleSocket(bench: Bench): string {
  const path = join(bench.directory, "console.sock");
  attackOnHost(bench, "console", path);
  bench.until("the console socket is there", () => spawnSync("test", ["-S", path]).status === 0);
  return path;
}

function attackOnHost(bench: Bench, ...argv: readonly string[]): () => void {
  const running = spawn(attackProgram(), argv, { stdio: "ignore" });
  const stop = (): void => void running.kill("SIGKILL");
  bench.defer(stop);
  return stop;
}

/** Puts a symlink where the image has an (empty) directory. */
export function plant(bundle: Bundle, name: string, goal: string): void {
  rmdirSync(join(bundle.rootfs, name));
  symlinkSync(goal, join(bundle.rootfs, name));
}

/** The spec with a writable root. */
export function writable(spec: Spec): Spec {
  return { ...spec, root: { path: "rootfs" } };
}

/** The spec whose process has these capabilities, and no others. */
export function withCapabilities(spec: Spec, names: readonly string[]): Spec {
  return withProcess(spec, { capabilities: { bounding: [...names], effective: [...names], permitted: [...names] } });
}

/** A file's text; "" when it is not there. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** Rounds of a race: `act` up to `most` times, and no longer than `seconds`. Returns how many there were. */
export function race(most: number, seconds: number, act: (round: number) => void): number {
  const end = performance.now() + seconds * 1000;
  let round = 0;
  while (round < most && performance.now() < end) act(round++);
  return round;
}
