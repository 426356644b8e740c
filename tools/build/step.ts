// A build step runs when its inputs, its recipe or its outputs are not those of its last success.
// The stamp is removed before a step and written after it: an interrupted step runs again.

import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The checkout. */
export const ROOT: string = join(import.meta.dirname, "../..");

/** One thing to make. */
export interface Step {
  readonly name: string;
  /** Globs below the checkout; their names and contents are the inputs. */
  readonly inputs: readonly string[];
  /** Anything else that the result depends on: versions, paths. */
  readonly also?: readonly string[];
  /** Files below the checkout that must exist afterwards. */
  readonly outputs: readonly string[];
  run(): Promise<void> | void;
}

/** Runs `step` unless its outputs are those of the same inputs; says what it does and how long it took. */
export async function runStep(step: Step): Promise<void> {
  const stamp = join(ROOT, ".cache/build", `${step.name}.stamp`);
  const wanted = inputHash(step);
  const made = step.outputs.every((file) => existsSync(join(ROOT, file)));
  if (made && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  mkdirSync(dirname(stamp), { recursive: true });
  rmSync(stamp, { force: true });
  console.error(`set-up: building ${step.name} ...`);
  const start = performance.now();
  await step.run();
  for (const file of step.outputs) {
    if (!existsSync(join(ROOT, file))) throw new Error(`step ${step.name} ended well but made no ${file}`);
  }
  writeFileSync(stamp, wanted);
  console.error(`set-up: building ${step.name} took ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

// Reading a file takes longer than stat: contents are hashed again only when size, time or inode changed.
interface Known {
  readonly seen: string;
  readonly hash: string;
}
let known: Record<string, Known> | undefined;
const KNOWN_FILE = join(ROOT, ".cache/build/hashes.json");

function inputHash(step: Step): string {
  known ??= readKnown();
  const hash = createHash("sha256");
  for (const text of step.also ?? []) hash.update(`${text}\0`);
  let changed = false;
  const files = [
    ...new Set(globSync(step.inputs, { cwd: ROOT, exclude: (name) => name === "node_modules" || name === "target" })),
  ].sort();
  for (const file of files) {
    const stat = statSync(join(ROOT, file), { bigint: true });
    if (!stat.isFile()) continue;
    const seen = `${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.ino}`;
    let entry = known[file];
    if (entry?.seen !== seen) {
      entry = {
        seen,
        hash: createHash("sha256")
          .update(readFileSync(join(ROOT, file)))
          .digest("hex"),
      };
      known[file] = entry;
      changed = true;
    }
    hash.update(`${file}\0${entry.hash}\0`);
  }
  if (changed) {
    mkdirSync(dirname(KNOWN_FILE), { recursive: true });
    writeFileSync(KNOWN_FILE, JSON.stringify(known));
  }
  return hash.digest("hex");
}

// Lost or damaged, it only costs time.
function readKnown(): Record<string, Known> {
  try {
    return JSON.parse(readFileSync(KNOWN_FILE, "utf8")) as Record<string, Known>;
  } catch {
    return {};
  }
}
