// Runs the tests: units, the portable code inside the host, then what changes the machine; closes with one line of counts.
// `--unit` runs only the units, which need no root. Other arguments are parts of names of groups or files to run.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Group, runGroups, systemGroup, type Totals, unitGroups } from "./test/groups.ts";
import { machineState, settledLeftovers } from "./test/leftovers.ts";

const unitOnly = process.argv.includes("--unit");
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const start = performance.now();
const before = machineState();
const totals: Totals = { passed: 0, failed: 0, skipped: 0 };

add(await runGroups(selected(unitGroups()), 2));
if (!unitOnly) {
  if (wanted.length === 0) add(hostTests());
  add(await runGroups(selected([systemGroup()]), 1));
  const left = await settledLeftovers(before);
  for (const thing of left) console.log(`left behind: ${thing}`);
  totals.failed += left.length;
}
console.log(`\n${((performance.now() - start) / 1000).toFixed(0)} s`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;

function add(counts: Totals): void {
  totals.passed += counts.passed;
  totals.failed += counts.failed;
  totals.skipped += counts.skipped;
}

function selected(groups: readonly Group[]): Group[] {
  const fits = (name: string): boolean => wanted.length === 0 || wanted.some((part) => name.includes(part));
  return groups
    .map((group) => (fits(group.name) ? group : { ...group, files: group.files.filter(fits) }))
    .filter((group) => group.files.length > 0);
}

// The portable code's tests once more, in the host and against the real kernel. Its last line is "N passed, N failed[, N skipped]".
function hostTests(): Totals {
  const file = join(import.meta.dirname, "host-test.ts");
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  console.log("\n# host");
  const result = spawnSync(process.execPath, [file], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  process.stdout.write(result.stdout);
  const match = /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/.exec(result.stdout.trim().split("\n").at(-1) ?? "");
  const failed = Number(match?.[2] ?? 0);
  return {
    passed: Number(match?.[1] ?? 0),
    failed: result.status !== 0 && failed === 0 ? 1 : failed,
    skipped: Number(match?.[3] ?? 0),
  };
}
