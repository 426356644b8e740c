// `npm run test:vm`: black-box cases on a kernel with cgroup v2 alone, in a virtual machine; one table for all runtimes.
//   node tools/vm/run.ts [--only TEXT] [--runtime PATH]... [--minutes N]
// Without --only: all that depends on the layout of cgroups. Exit status 1 when teu-runtime fails a case, 0 with the reason when
// there can be no machine.

import { existsSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { boot, noMachine } from "./machine.ts";

const ROOT = join(import.meta.dirname, "../..");
const DEFAULT_CASES = ["cgroup", "devices:", "update:", "pause", "rootless", "lifecycle", "kill"];
const RUNTIMES = [join(ROOT, "bin/teu-runtime"), "/usr/sbin/runc", "/usr/bin/crun"];

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: DEFAULT_CASES },
    runtime: { type: "string", multiple: true, default: RUNTIMES },
    minutes: { type: "string", default: "30" },
  },
});

interface Column {
  readonly name: string;
  readonly cases: Map<string, string>;
}

const reason = noMachine();
if (reason !== false) {
  console.log(`skipped: ${reason}`);
} else {
  const columns = await runCases();
  process.exitCode = report(columns);
}

async function runCases(): Promise<Column[]> {
  const runtimes = values.runtime.filter((path) => existsSync(path));
  const only = values.only.map((text) => `--only '${text}'`).join(" ");
  const script = runtimes
    .map(
      (path) =>
        `echo "teu: runtime ${basename(path)}"\nnode_modules/.bin/node conformance/runtime/run.ts --runtime ${path} ${only}`,
    )
    .join("\n");
  const columns: Column[] = [];
  let last = "";
  const onLine = (line: string): void => {
    console.error(line);
    const [, runtime] = /^teu: runtime (.*)/.exec(line) ?? [];
    if (runtime !== undefined) columns.push({ name: runtime, cases: new Map() });
    const cases = columns.at(-1)?.cases;
    const [, bad, name = "", skip] = /^(not )?ok \d+ - (.*?)(?: # SKIP (.*))?$/.exec(line) ?? [];
    if (name !== "")
      cases?.set((last = name), bad === undefined ? (skip === undefined ? "" : `skipped: ${skip}`) : "failed");
    const [, why] = /^ {2}reason: (.*)/.exec(line) ?? [];
    if (why !== undefined) cases?.set(last, why);
  };
  console.error(`booting; scripts and console: ${relative(process.cwd(), join(ROOT, ".cache/vm"))}`);
  await boot({ script, timeoutMs: Number(values.minutes) * 60_000, onLine });
  return columns;
}

function report(columns: readonly Column[]): number {
  const names = [...new Set(columns.flatMap(({ cases }) => [...cases.keys()]))];
  const wide = Math.max(...names.map((name) => name.length));
  console.log(["case".padEnd(wide), ...columns.map(({ name }) => name.padEnd(11))].join(" "));
  for (const name of names)
    console.log(
      [name.padEnd(wide), ...columns.map(({ cases }) => word(cases.get(name)).padEnd(11))].join(" ").trimEnd(),
    );
  const ours = columns.find(({ name }) => name === "teu-runtime");
  const failures = [...(ours?.cases ?? [])].filter(([, why]) => word(why) === "FAIL");
  for (const [name, why] of failures) console.log(`teu-runtime failed: ${name}: ${why}`);
  return failures.length === 0 ? 0 : 1;
}

function word(why: string | undefined): string {
  if (why === undefined) return "-";
  return why === "" ? "pass" : why.startsWith("skipped") ? "skip" : "FAIL";
}
