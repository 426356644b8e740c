// Bundles the command line: one small CommonJS entry, and one file per module that is imported dynamically.
// Start-up time is module initialisation: what a command does not use must not be loaded, and CommonJS loads faster than
// modules. bin/teu names our Node in its first line, so that no shell and no search for a Node stands before it.

import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
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
  const chunks = new Map([[join(ROOT, ENTRY), "main"]]);
  // New chunks are found while others are bundled; a Map is iterated in order, later entries included.
  for (const [file, name] of chunks) await bundle(file, join(staging, `${name}.cjs`), chunks);
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

async function bundle(entry: string, outfile: string, chunks: Map<string, string>): Promise<void> {
  await build({
    entryPoints: [entry], outfile, bundle: true, platform: "node", target: "node24", format: "cjs",
    minify: true, keepNames: true, legalComments: "none", logLevel: "warning", absWorkingDir: ROOT,
    define: {
      "import.meta.url": "__moduleUrl", "import.meta.dirname": "__dirname", "import.meta.filename": "__filename",
      "import.meta.main": "false",
    },
    banner: { js: 'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;' },
    plugins: [splitDynamicImports(chunks)],
  });
}

function splitDynamicImports(chunks: Map<string, string>): Plugin {
  return {
    name: "split-dynamic-imports",
    setup(builder): void {
      builder.onResolve({ filter: /^[^n]|^n(?!ode:)/ }, async (args) => {
        if (args.kind !== "dynamic-import" || args.pluginData === "resolving") return undefined;
        const { path, errors } = await builder.resolve(args.path, {
          kind: args.kind, importer: args.importer, resolveDir: args.resolveDir, pluginData: "resolving",
        });
        if (errors.length > 0) return { errors };
        const name = chunks.get(path) ?? chunkName(path, chunks);
        chunks.set(path, name);
        return { path: `./${name}.cjs`, external: true };
      });
    },
  };
}

function chunkName(path: string, chunks: ReadonlyMap<string, string>): string {
  const taken = new Set(chunks.values());
  const short = basename(path).replace(/\.[cm]?[jt]s$/, "");
  const long = relative(ROOT, path).replaceAll(/[^A-Za-z0-9]+/g, "-");
  return taken.has(short) ? long : short;
}

function writeLauncher(): void {
  const shebang = `#!${NODE}`;
  // BINPRM_BUF_SIZE: the kernel reads no more of the first line.
  if (shebang.length > 250 || /\s/.test(NODE)) throw new Error(`the checkout's path cannot stand in a script's first line: ${ROOT}`);
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
