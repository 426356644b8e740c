// A runtime as it is where openat2(2) is missing: behind a program that starts it under a filter, which takes root.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type RuntimeCase, Skip } from "./case.ts";
import { cases as delegation } from "./rootless/delegation.ts";
import { cases as life } from "./rootless/life.ts";
import { cases as nested } from "./rootless/nested.ts";
import { cases as setup } from "./rootless/setup.ts";

const SOURCE = fileURLToPath(new URL("without-openat2.c", import.meta.url));
const ROOTLESS: ReadonlySet<RuntimeCase> = new Set([...delegation, ...life, ...nested, ...setup]);

/** Path of a program to be called in place of `runtime`; removed when this process ends. Throws `Skip` without gcc. */
export function withoutOpenat2(runtime: string, errno: "ENOSYS" | "EPERM"): string {
  const directory = mkdtempSync(join(tmpdir(), "teu-without-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  // Some programs go by their name.
  const path = join(directory, basename(runtime));
  const defines = [`-DERRNO=${errno}`, `-DPROGRAM=${JSON.stringify(resolve(runtime))}`];
  const result = spawnSync("gcc", ["-O2", ...defines, "-o", path, SOURCE], { encoding: "utf8" });
  if (result.error !== undefined) throw new Skip("gcc is missing");
  if (result.status !== 0) throw new Error(`without-openat2.c does not compile: ${result.stderr}`);
  return path;
}

/** Can the case be run so? A user of the system may load no filter without giving up newuidmap. */
export function takesFilter(one: RuntimeCase): boolean {
  return !ROOTLESS.has(one);
}
