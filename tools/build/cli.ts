// Bundles the command line: a small CommonJS entry, and a file for each module that is imported dynamically.
// Start-up time is module initialisation: what a command does not use must not be loaded, what it uses must be in few files,
// compiled already (docs/design/run-latency.md). bin/teu names our Node in its first line, so that no shell and no search for a Node stands before it.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { type Chunk, ENTRY_PACK, type HotPaths, LOADER, LOADER_FILE, packChunks } from "./pack-chunks.ts";
import { ROOT, type Step } from "./step.ts";

const ENTRY = "packages/cli/src/main.ts";
const OUT = "dist/cli";
const COMMAND = "packages/cli/src/grammar/read-command-input.ts";
const ENGINE = ["packages/engine/src/engine.ts", "packages/engine/src/engine-open.ts"];
/** What the frequent commands import dynamically. */
const HOT: HotPaths = {
  run: { files: [COMMAND, ...ENGINE, "packages/cli/src/commands/run.ts"] },
  pull: {
    files: [
      COMMAND,
      ...ENGINE,
      "packages/cli/src/commands/pull.ts",
      "packages/engine/src/images/pull.ts",
      "packages/engine/src/snapshots/unpack-layer.ts",
    ],
  },
  push: { files: [COMMAND, ...ENGINE, "packages/cli/src/commands/push.ts", "packages/engine/src/images/push.ts"] },
  copy: {
    files: [
      COMMAND,
      "packages/cli/src/commands/copy.ts",
      "packages/image/src/transport/layout-image.ts",
      "packages/distribution/src/signing/policy/policy-gate.ts",
      "packages/distribution/src/signing/policy/policy-scopes.ts",
      "packages/distribution/src/signing/signature-place.ts",
      "packages/distribution/src/signing/lookaside/lookaside-files.ts",
    ],
  },
  policy: { after: "copy", files: ["packages/distribution/src/signing/policy/enforce-policy.ts"] },
  registry: {
    after: "copy",
    files: [
      "packages/distribution/src/client/registry-image.ts",
      "packages/distribution/src/client/user-client.ts",
      "packages/distribution/src/client/upload-journal.ts",
    ],
  },
};
const NODE = join(ROOT, "node_modules", `node-linux-${process.arch}`, "bin/node");

/** dist/cli/*.cjs and bin/teu. */
export const cliStep: Step = {
  name: "command line",
  inputs: [
    "packages/*/src/**/*.ts",
    "packages/*/package.json",
    "package-lock.json",
    "tools/build/cli.ts",
    "tools/build/pack-chunks.ts",
    "tools/build/code-cache.ts",
  ],
  also: [ROOT],
  outputs: [`${OUT}/main.cjs`, "bin/teu"],
  run: buildCli,
};

async function buildCli(): Promise<void> {
  const staging = join(ROOT, `${OUT}.new`);
  rmSync(staging, { recursive: true, force: true });
  await bundleAll(join(ROOT, ENTRY), staging, HOT);
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
 * Bundles `entry` to DIRECTORY (run by LOADER_FILE), what it imports dynamically to files beside it, and what several of them share to
 * others: every module exists once. `hot`: see `packChunks`. In rounds, because esbuild splits only modules: split, turn each
 * into CommonJS, pack, minify.
 */
export async function bundleAll(entry: string, directory: string, hot: HotPaths = {}): Promise<void> {
  // Loaded only here: a set-up that has nothing to do shall end at once.
  const { build, transform } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    entryPoints: { main: entry },
    outdir: directory,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node24",
    keepNames: false,
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
  const common = { platform: "node", target: "node24" } as const;
  const named = (path: string): string => basename(path).replace(/\.js$/, ".cjs");
  const names = outputFiles.map(({ path }) => basename(path));
  const chunks: Chunk[] = [];
  for (const { path, text } of outputFiles) {
    const renamed = names.reduce((code, name) => code.replaceAll(`"./${name}"`, `"./${named(name)}"`), text);
    const about = metafile.outputs[relative(ROOT, path)];
    const needs = about?.imports.filter(({ kind }) => kind === "import-statement") ?? [];
    chunks.push({
      name: named(path),
      code: (await transform(renamed, { ...common, format: "cjs" })).code,
      entry: about?.entryPoint,
      needs: needs.map((one) => named(one.path)).filter((name) => names.includes(name.replace(/\.cjs$/, ".js"))),
    });
  }
  mkdirSync(directory, { recursive: true });
  for (const { name, code } of packChunks(chunks, hot)) {
    const { code: small } = await transform(code, { ...common, minify: true, keepNames: false });
    writeFileSync(join(directory, name), small);
  }
  writeFileSync(join(directory, LOADER_FILE), LOADER);
  execFileSync(NODE, [join(import.meta.dirname, "code-cache.ts"), directory], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function writeLauncher(): void {
  // "--": Node looks for its own --env-file behind the script's name too, and would read the file of `teu run --env-file` itself.
  const shebang = `#!${NODE} --`;
  // BINPRM_BUF_SIZE: the kernel reads no more of the first line.
  if (shebang.length > 250 || /\s/.test(NODE))
    throw new Error(`the checkout's path cannot stand in a script's first line: ${ROOT}`);
  mkdirSync(join(ROOT, "bin"), { recursive: true });
  // The checkout is a package of modules; what is in bin is not.
  writeFileSync(join(ROOT, "bin/package.json"), '{ "type": "commonjs" }\n');
  const loader = JSON.stringify(join(ROOT, OUT, LOADER_FILE));
  const file = join(ROOT, "bin/teu");
  writeFileSync(`${file}.new`, `${shebang}\nrequire(${loader})(${JSON.stringify(ENTRY_PACK)});\n`);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}
