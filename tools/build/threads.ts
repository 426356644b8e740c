// Bundles what runs in worker threads: each one file of its own, since a thread starts from a file and must load no command line.

import { renameSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Step } from "./step.ts";

const THREADS: Readonly<Record<string, string>> = {
  "password-thread": "packages/registry/src/access/password-thread.ts",
};
const OUT = "dist/threads";

/** dist/threads/*.cjs. */
export const threadsStep: Step = {
  name: "threads",
  inputs: [...Object.values(THREADS), "package-lock.json", "tools/build/threads.ts"],
  outputs: Object.keys(THREADS).map((name) => `${OUT}/${name}.cjs`),
  run: buildThreads,
};

async function buildThreads(): Promise<void> {
  const { build } = await import("esbuild");
  for (const [name, entry] of Object.entries(THREADS)) {
    const file = join(ROOT, OUT, `${name}.cjs`);
    await build({
      entryPoints: [join(ROOT, entry)],
      outfile: `${file}.new`,
      bundle: true,
      minify: true,
      format: "cjs",
      platform: "node",
      target: "node24",
      legalComments: "none",
      logLevel: "warning",
      absWorkingDir: ROOT,
    });
    renameSync(`${file}.new`, file);
  }
}
