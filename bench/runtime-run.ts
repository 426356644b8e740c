// How long does one `run true` of a standard bundle take, and how much memory, beside crun and runc?
// Command: npm run bench -- runtime-run

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";
import { makeBundle, onTmpfs, peers } from "./runtime-bundle.ts";

/**
 * Peak resident set of one command in KiB, its children included. busybox measures, since what measures must be smaller than what is
 * measured (execve carries the maximum over); it takes the kernel's KiB for pages and multiplies them by four.
 */
function peakKiB(command: readonly string[]): number {
  const result = spawnSync("/bin/busybox", ["time", "-v", ...command], { encoding: "utf8" });
  return Number(/Maximum resident set size \(kbytes\): (\d+)/.exec(result.stderr)?.[1] ?? Number.NaN) / 4;
}

onlyInPrivateMounts(import.meta.filename);
mountHugetlbForCrun();
onTmpfs((dir) => {
  const bundle = makeBundle(dir, ["/bin/true"]);
  const commandOf = (name: string, path: string): string[] => [
    path,
    "--root",
    join(dir, name),
    "run",
    "--bundle",
    bundle,
    `bench-${name}`,
  ];
  const contestants = peers().map(({ name, path }) => ({ name, command: commandOf(name, path).join(" ") }));
  console.log(machineLine());
  // Many short rounds: a neighbour's noise hits all alike.
  printTable("run true", compare(contestants, 15, 10), "crun");
  const versions = peers().map(({ name, path }) => ({ name, command: `${path} --version` }));
  printTable("--version (process start alone)", compare(versions, 20, 5), "crun");
  console.log("\n| peak RSS of one run | KiB |\n| --- | --- |");
  for (const { name, path } of peers()) console.log(`| ${name} | ${peakKiB(commandOf(name, path))} |`);
});
