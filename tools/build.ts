// Second half of the set-up, under our Node: Debian packages and build steps that a target needs. Run by tools/setup.sh only,
// which holds the lock. Says nothing when there is nothing to do.

import { cliStep } from "./build/cli.ts";
import { installDebianPackages, type Need } from "./build/debian.ts";
import { addonStep } from "./build/native.ts";
import { runStep, type Step } from "./build/step.ts";

const NEEDS: Readonly<Record<string, readonly Need[]>> = {
  build: ["build"],
  demo: ["build", "run"],
  test: ["build", "run", "test"],
  "test-unit": [],
  bench: ["build", "run", "test", "bench"],
};

function stepsFor(target: string): readonly Step[] {
  // Unit tests use the sources; only the addon has to be made for them.
  if (target === "test-unit") return [addonStep];
  return [addonStep, cliStep];
}

const target = process.argv[2] ?? "build";
try {
  installDebianPackages(NEEDS[target] ?? []);
  for (const step of stepsFor(target)) await runStep(step);
} catch (error) {
  console.error(`set-up failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
