// Runs the benchmarks of bench/: all of them, or those named. A file there is a benchmark when its head says how to run it.

import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const DIRECTORY = join(import.meta.dirname, "../bench");
const all = globSync("*.ts", { cwd: DIRECTORY })
  .filter((file) => readFileSync(join(DIRECTORY, file), "utf8").includes("npm run bench -- "))
  .sort();
const wanted = process.argv.slice(2);
const files = wanted.length === 0 ? all : wanted.map((name) => `${basename(name, ".ts")}.ts`);
for (const file of files) {
  if (!all.includes(file)) {
    console.error(`there is no benchmark ${file}; there are: ${all.map((name) => basename(name, ".ts")).join(", ")}`);
    process.exit(2);
  }
  console.log(`\n== ${basename(file, ".ts")}`);
  if (spawnSync(process.execPath, [join(DIRECTORY, file)], { stdio: "inherit" }).status !== 0) process.exitCode = 1;
}
