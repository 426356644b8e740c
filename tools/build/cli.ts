// Bundles the command line: a small CommonJS entry, and a file for each module that is imported dynamically.
// Start-up time is module initialisation: what a command does not use must not be loaded, and CommonJS loads faster than
// modules. bin/teu names our Node in its first line, so that no shell and no search for a Node stands before it.

import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT, type Step } from "./step.ts";

const ENTRY = "packages/cli/src/main.ts";
const OUT = "dist/cli";
const NODE = join(ROOT, "node_modules", `node-linux-${process.arch}`, "bin/node");

/** dist/cli/*.cjs and bin/teu. */
export const cliStep: Step = {
  name: "command line",
  inputs: ["packages/*/src/**/*.ts", "packages/*/package.json", "package-lock.json", "tools/build/cli.ts"],
  also: [ROOT],
  outputs: [`${OUT}/main.cjs`, "bin/teu"],
  run: buildCli,
};

async function buildCli(): Promise<void> {
  const staging = join(ROOT, `${OUT}.new`);
  rmSync(staging, { recursive: true, force: true });
  await bundleAll(join(ROOT, ENTRY), staging);
  // Whoever runs the old files at this moment has loaded them or fails once; the window is two renames.
  rmSync(join(ROOT, `${OUT}.old`), { recursive: true, force: true });
  try {
    renameSync(join(ROOT, OUT), join(ROOT, `${OUT}.old`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  renameSync(staging, join(ROOT, OUT));
  rmSync(join(ROOT, `${OUT}.old`), { recursive: true, force: true });
  writeLauncher();
}

/**
 * Bundles `entry` to DIRECTORY/main.cjs, what it imports dynamically to files beside it, and what several of them share to
 * others: every module exists once. In two rounds, because esbuild splits only modules: first split, then turn each into CommonJS.
 */
export async function bundleAll(entry: string, directory: string): Promise<void> {
  // Loaded only here: a set-up that has nothing to do shall end at once.
  const { build, transform } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: { main: entry },
    outdir: directory,
    bundle: true,
    splitting: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    keepNames: true,
    legalComments: "none",
    logLevel: "warning",
    absWorkingDir: ROOT,
    define: {
      "import.meta.url": "__moduleUrl",
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      "import.meta.main": "false",
    },
  });
  mkdirSync(directory, { recursive: true });
  const names = outputFiles.map(({ path }) => basename(path));
  for (const { path, text } of outputFiles) {
    const renamed = names.reduce(
      (code, name) => code.replaceAll(`"./${name}"`, `"./${name.replace(/\.js$/, ".cjs")}"`),
      text,
    );
    const { code } = await transform(renamed, {
      format: "cjs",
      platform: "node",
      target: "node24",
      minify: true,
      keepNames: false,
    });
    const url = code.includes("__moduleUrl")
      ? 'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;'
      : "";
    writeFileSync(join(directory, basename(path).replace(/\.js$/, ".cjs")), `${url}${code}`);
  }
}

function writeLauncher(): void {
  const shebang = `#!${NODE}`;
  // BINPRM_BUF_SIZE: the kernel reads no more of the first line.
  if (shebang.length > 250 || /\s/.test(NODE))
    throw new Error(`the checkout's path cannot stand in a script's first line: ${ROOT}`);
  mkdirSync(join(ROOT, "bin"), { recursive: true });
  // The checkout is a package of modules; what is in bin is not.
  writeFileSync(join(ROOT, "bin/package.json"), '{ "type": "commonjs" }\n');
  const cache = JSON.stringify(join(ROOT, ".cache/compiled"));
  const main = JSON.stringify(join(ROOT, OUT, "main.cjs"));
  const file = join(ROOT, "bin/teu");
  writeFileSync(`${file}.new`, `${shebang}\nrequire("node:module").enableCompileCache(${cache});\nrequire(${main});\n`);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}
