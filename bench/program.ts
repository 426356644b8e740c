// Programs of our library that benchmarks run, built as the command line is: bundled, minified, compiled ahead.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { bundleAll } from "../tools/build/cli.ts";
import { ENTRY_PACK, LOADER_FILE } from "../tools/build/pack-chunks.ts";

/** Builds a file of this directory into `directory`; returns the program's path. It finds the addon by the environment. */
export async function bundleProgram(directory: string, file: string): Promise<string> {
  const name = file.replace(/\.ts$/, "");
  await bundleAll(join(import.meta.dirname, file), join(directory, name));
  const program = join(directory, `${name}.cjs`);
  writeFileSync(program, `require(${JSON.stringify(`./${name}/${LOADER_FILE}`)})(${JSON.stringify(ENTRY_PACK)});\n`);
  process.env["TEU_FILES_ADDON"] ??= join(import.meta.dirname, "../dist/native/teu-files.node");
  return program;
}
