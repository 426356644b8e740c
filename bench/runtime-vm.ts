// How long does `run true` take on a kernel with cgroup v2 alone, in the virtual machine of `npm run test:vm`, beside crun and runc?
// Software emulation makes everything ten to forty times slower: only the ratios mean something.
// Command: npm run bench -- runtime-vm

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boot, noMachine } from "../tools/vm/machine.ts";
import { type Measurement, machineLine, median, printTable } from "./hyperfine.ts";
import { makeBundle, peers } from "./runtime-bundle.ts";

const ROUNDS = 15;
const TIMEOUT_MS = 15 * 60_000;

/** Each round runs every runtime once, so that the host's noise hits all alike. The first two warm the caches. */
function guestScript(bundle: string): string {
  const runs = peers().map(
    ({ name, path }) => `begin=\${EPOCHREALTIME/./}
${path} --root /run/${name} run --bundle /run/bundle bench-$round </dev/null || echo "${name} failed"
echo "time ${name} $(( \${EPOCHREALTIME/./} - begin ))"`,
  );
  return `cp -a ${bundle} /run/bundle\nfor round in $(seq ${ROUNDS + 2}); do\n${runs.join("\n")}\ndone`;
}

const reason = noMachine();
if (reason === false) {
  const dir = mkdtempSync(join(tmpdir(), "teu-bench-vm-"));
  try {
    const times = new Map<string, number[]>(peers().map(({ name }) => [name, []]));
    const onLine = (line: string): void => {
      const [, name = "", microseconds = ""] = /^time (\S+) (\d+)$/.exec(line) ?? [];
      if (name === "") console.error(line);
      else times.get(name)?.push(Number(microseconds) / 1000);
    };
    await boot({ script: guestScript(makeBundle(dir, ["/bin/true"])), timeoutMs: TIMEOUT_MS, onLine });
    console.log(`${machineLine()} (the host of the virtual machine)`);
    const measured = [...times].map(([name, all]): Measurement => {
      const warm = all.slice(2);
      return { name, median: median(warm), min: Math.min(...warm), cpu: Number.NaN };
    });
    printTable("run true, cgroup v2, emulated", measured, "crun");
  } finally {
    rmSync(dir, { recursive: true });
  }
} else console.log(`skipped: ${reason}`);
