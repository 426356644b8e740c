// Programs of our library that benchmarks run, bundled as the command line is.

import { join } from "node:path";

import { buildSync } from "esbuild";

/** Bundles a file of this directory into `directory`; returns the program's path. It finds the addon by the environment. */
export function bundleProgram(directory: string, file: string): string {
  const program = join(directory, file.replace(/\.ts$/, ".mjs"));
  const entryPoints = [join(import.meta.dirname, file)];
  buildSync({ entryPoints, outfile: program, bundle: true, platform: "node", format: "esm" });
  process.env["TEU_FILES_ADDON"] ??= join(import.meta.dirname, "../dist/native/teu-files.node");
  return program;
}
