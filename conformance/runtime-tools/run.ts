// Runs runtime-tools' validation programs (pinned in go.mod) against teu-runtime and its peers and prints one table.
//   node conformance/runtime-tools/run.ts [--runtime PATH]... [--only TEXT] [--network] [--verbose]
// Without --runtime: bin/teu-runtime, and runc and crun where they are. --network mounts net_cls and net_prio for as long as it
// runs. The exit status is 1 when teu-runtime fails a program that expected.ts says it passes. Needs root and Go.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXPECTED } from "./expected.ts";
import { type Result, buildSuite, runProgram } from "./suite.ts";

const OURS = resolve(import.meta.dirname, "../../bin/teu-runtime");
const PEERS = ["/usr/sbin/runc", "/usr/bin/crun"];
const RACY_TRIES = 5;

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    only: { type: "string", default: "" },
    network: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

if (process.env["TEU_CONFORMANCE_NAMESPACE"] === undefined) {
  // Mounts of the cgroup controllers below must be nobody else's.
  const again = spawnSync("unshare", ["--mount", "--propagation", "private", ...process.execArgv, ...process.argv], {
    stdio: "inherit",
    env: { ...process.env, TEU_CONFORMANCE_NAMESPACE: "1" },
  });
  process.exitCode = again.status ?? 1;
} else {
  mountControllers(["hugetlb", ...(values.network ? ["net_cls", "net_prio"] : [])]);
  process.exitCode = main();
}

function main(): number {
  const { directory, programs } = buildSuite();
  const runtimes = (values.runtime ?? [OURS, ...PEERS]).filter((path) => existsSync(path));
  const chosen = programs.filter((name) => name.includes(values.only));
  const results = new Map<string, Map<string, Result>>();
  for (const runtime of runtimes) {
    const column = new Map<string, Result>();
    results.set(basename(runtime), column);
    for (const name of chosen) {
      const tries = EXPECTED[name]?.passes === "racy" ? RACY_TRIES : 1;
      let result = runProgram(directory, name, resolve(runtime));
      for (let left = tries - 1; left > 0 && !result.passed; left--)
        result = runProgram(directory, name, resolve(runtime));
      column.set(name, result);
      if (values.verbose && !result.passed) console.log(`--- ${basename(runtime)} ${name}\n${result.text}`);
    }
  }
  printTable(chosen, results);
  return verdict(chosen, results.get(basename(OURS)));
}

function printTable(programs: readonly string[], results: ReadonlyMap<string, ReadonlyMap<string, Result>>): void {
  const wide = Math.max(...programs.map((name) => name.length));
  console.log(["program".padEnd(wide), ...[...results.keys()].map((name) => name.padEnd(12)), "why not"].join(" "));
  for (const name of programs) {
    const cells = [...results.values()].map((column) => cell(column.get(name)).padEnd(12));
    const ours = results.get(basename(OURS))?.get(name);
    console.log(
      [name.padEnd(wide), ...cells, ours?.passed === true ? "" : (EXPECTED[name]?.why ?? "")].join(" ").trimEnd(),
    );
  }
  const sums = [...results.values()].map((column) => {
    const all = [...column.values()];
    return `${all.filter(({ passed }) => passed).length} of ${all.length}`.padEnd(12);
  });
  console.log(["passed".padEnd(wide), ...sums].join(" "));
}

function cell(result: Result | undefined): string {
  if (result === undefined) return "-";
  return `${result.passed ? "pass" : "FAIL"}${result.ok + result.notOk === 0 ? "" : ` ${result.ok}/${result.ok + result.notOk}`}`;
}

function verdict(programs: readonly string[], ours: ReadonlyMap<string, Result> | undefined): number {
  if (ours === undefined) return 0;
  let status = 0;
  for (const name of programs) {
    const expected = EXPECTED[name]?.passes;
    const passed = ours.get(name)?.passed === true;
    const wanted = expected === true || (expected === "network" && values.network);
    if (wanted && !passed) {
      console.log(`worse than recorded: ${name}`);
      status = 1;
    }
    if (passed && expected === false) console.log(`better than recorded, see expected.ts: ${name}`);
    if (expected === undefined) {
      console.log(`not recorded in expected.ts: ${name}`);
      status = 1;
    }
  }
  return status;
}

/**
 * Mounts v1 controllers that are not mounted yet, on a copy of the directory that only this namespace has: whoever removes a mount
 * point in another namespace takes the mount away from us. What another hierarchy has cannot be mounted: its programs fail.
 */
function mountControllers(names: readonly string[]): void {
  const base = "/sys/fs/cgroup";
  if (existsSync(join(base, "cgroup.controllers"))) return;
  const copy = mkdtempSync(join(tmpdir(), "teu-cgroup-"));
  mount("-t", "tmpfs", "-o", "mode=755", "cgroup", copy);
  for (const name of readdirSync(base)) {
    mkdirSync(join(copy, name));
    mount("--bind", join(base, name), join(copy, name));
  }
  for (const name of names) {
    if (existsSync(join(copy, name, "tasks"))) continue;
    mkdirSync(join(copy, name), { recursive: true });
    if (!mount("-t", "cgroup", "-o", name, "cgroup", join(copy, name))) rmdirSync(join(copy, name));
  }
  mount("--move", copy, base);
  rmdirSync(copy);
}

function mount(...args: string[]): boolean {
  return spawnSync("mount", args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}
