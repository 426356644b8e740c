// Runs groups of test files with `node --test` and adds up their counts.

import { spawn } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** Results added up. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** Test files that run together. */
export interface Group {
  readonly name: string;
  readonly files: readonly string[];
  /** In one process (fast, for pure units) or one process for each file. */
  readonly isolation: "none" | "process";
}

/** Every package's unit tests and those of the tools, one group each. */
export function unitGroups(): Group[] {
  const packages = globSync("packages/*", { cwd: ROOT }).sort();
  const groups = [...packages, "tools", "bench"].map((directory): Group => ({
    name: directory.replace("packages/", ""),
    files: globSync(`${directory}/**/*.test.ts`, { cwd: ROOT, exclude: (name) => name === "node_modules" }).sort(),
    isolation: "none",
  }));
  return groups.filter((group) => group.files.length > 0);
}

/** Tests that change the machine (and undo it): one process each, one after the other. */
export function systemGroup(): Group {
  return {
    name: "system",
    files: globSync("{tests,conformance}/**/*.test.ts", { cwd: ROOT }).sort(),
    isolation: "process",
  };
}

/** Runs the groups, `parallel` at a time; prints each group's report when it ends (at once, when alone). */
export async function runGroups(groups: readonly Group[], parallel: number): Promise<Totals> {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const queue = [...groups];
  const worker = async (): Promise<void> => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      const counts = await runGroup(group, parallel > 1);
      totals.passed += counts.passed;
      totals.failed += counts.failed;
      totals.skipped += counts.skipped;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return totals;
}

async function runGroup(group: Group, hold: boolean): Promise<Totals> {
  const countsFile = join(tmpdir(), `teu-counts-${process.pid}-${group.name}.json`);
  const start = performance.now();
  console.log(hold ? `# ${group.name}: ${group.files.length} files` : `\n# ${group.name}: ${group.files.length} files`);
  const argv = [
    "--test",
    `--test-isolation=${group.isolation}`,
    "--test-concurrency=1",
    // In one process all tests of a group share their time: no limit there.
    ...(group.isolation === "process" ? ["--test-timeout=180000"] : []),
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(ROOT, "tools/test/reporter.ts")}`,
    `--test-reporter-destination=${countsFile}`,
    ...group.files,
  ];
  const { status, text } = await run(argv, hold);
  const counts = readCounts(countsFile);
  const took = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  // A process that died without a report is a failure, and so is one that failed outside of its tests.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  if (hold && counts.failed > 0) process.stdout.write(text);
  console.log(
    `# ${group.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${took}`,
  );
  return counts;
}

function run(argv: readonly string[], hold: boolean): Promise<{ status: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: ["ignore", hold ? "pipe" : "inherit", "inherit"] });
    const parts: Buffer[] = [];
    child.stdout?.on("data", (part: Buffer) => parts.push(part));
    child.on("error", reject);
    child.on("close", (status) => {
      resolve({ status, text: Buffer.concat(parts).toString() });
    });
  });
}

function readCounts(file: string): Totals {
  try {
    return JSON.parse(readFileSync(file, "utf8").trim().split("\n").at(-1) ?? "") as Totals;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(file, { force: true });
  }
}
