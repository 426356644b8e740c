// Second half of the set-up, under our Node: Debian packages and build steps that a target needs. Run by tools/setup.sh only,
// which holds the lock. Says nothing when there is nothing to do.

import { cliStep } from "./build/cli.ts";
import { installDebianPackages, type Need } from "./build/debian.ts";
import { addonStep, hostStep, programsStep } from "./build/native.ts";
import { quickjsStep } from "./build/quickjs.ts";
import { runStep, type Step } from "./build/step.ts";
import { threadsStep } from "./build/threads.ts";

const NEEDS: Readonly<Record<string, readonly Need[]>> = {
  build: ["build"],
  demo: ["build", "run"],
  test: ["build", "run", "test"],
  "test-unit": [],
  bench: ["build", "run", "test", "bench"],
  mutation: ["build", "run", "test"],
};

function stepsFor(target: string): readonly Step[] {
  // Unit tests use the sources; only the addon has to be made for them.
  if (target === "test-unit") return [addonStep];
  return [addonStep, quickjsStep, hostStep, programsStep, threadsStep, cliStep];
}

// `npm run build -- host` makes only the steps with that in their name.
const [target = "build", ...names] = process.argv.slice(2);
try {
  installDebianPackages(NEEDS[target] ?? []);
  const steps = stepsFor(target).filter((step) => names.length === 0 || names.some((name) => step.name.includes(name)));
  if (steps.length === 0) throw new Error(`no step is called ${names.join(" or ")}`);
  for (const step of steps) await runStep(step);
} catch (error) {
  // A failed bundle has said so already; its message repeats all of it.
  const bundling = error instanceof Error && "errors" in error && "warnings" in error;
  console.error(`set-up failed: ${bundling ? "bundling" : error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
