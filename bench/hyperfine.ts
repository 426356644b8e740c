// Runs commands side by side with hyperfine and prints medians as ratios to the first one. Every bench file stands on this.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";

/** One contestant: a label and the command line, as hyperfine takes it (no shell). */
export interface Contestant {
  readonly name: string;
  readonly command: string;
  /** Shell command run before each timing run. */
  readonly prepare?: string;
}

/** What was measured for one contestant; times in milliseconds, CPU = user + system, NaN where it is not known. */
export interface Measurement {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly cpu: number;
}

interface HyperfineResult {
  readonly median: number;
  readonly min: number;
  readonly user: number;
  readonly system: number;
}

/**
 * Measures all contestants in rounds (each round runs every contestant, so that noise hits all alike) and merges by median of medians.
 * `warmup` runs before each round do not count. A command that fails ends the bench with hyperfine's message.
 */
export function compare(
  contestants: readonly Contestant[],
  runs: number,
  rounds: number = 3,
  warmup: number = 2,
): Measurement[] {
  const samples = contestants.map(() => [] as HyperfineResult[]);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) samples[index]?.push(measure(contestant, runs, warmup));
  }
  return contestants.map((contestant, index) => merge(contestant.name, samples[index] ?? []));
}

function measure(contestant: Contestant, runs: number, warmup: number): HyperfineResult {
  const dir = mkdtempSync(join(tmpdir(), "teu-bench-"));
  try {
    const out = join(dir, "result.json");
    const prepare = contestant.prepare === undefined ? [] : ["--prepare", contestant.prepare];
    const flags = ["-N", "--style", "none", "--warmup", String(warmup), "--runs", String(runs), "--export-json", out];
    execFileSync("hyperfine", [...flags, ...prepare, contestant.command], { stdio: ["ignore", "ignore", "pipe"] });
    const parsed = JSON.parse(readFileSync(out, "utf8")) as { results: HyperfineResult[] };
    const result = parsed.results[0];
    if (result === undefined) throw new Error(`hyperfine measured nothing for ${contestant.name}`);
    return result;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function merge(name: string, samples: readonly HyperfineResult[]): Measurement {
  const ms = (pick: (sample: HyperfineResult) => number): number[] => samples.map((sample) => pick(sample) * 1000);
  return {
    name,
    median: median(ms((sample) => sample.median)),
    min: Math.min(...ms((sample) => sample.min)),
    cpu: median(ms((sample) => sample.user + sample.system)),
  };
}

/** The middle value; mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const high = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[(sorted.length >> 1) - 1] ?? Number.NaN)) / 2;
}

/** Prints a Markdown table; ratios are to the measurement named `reference`. */
export function printTable(title: string, measurements: readonly Measurement[], reference: string): void {
  const base = measurements.find((each) => each.name === reference);
  console.log(
    `\n### ${title}\n\n| command | median ms | min ms | CPU ms | ratio to ${reference} |\n| --- | --- | --- | --- | --- |`,
  );
  for (const each of measurements) {
    const cpu = Number.isNaN(each.cpu) ? "-" : each.cpu.toFixed(2);
    const ratio = base === undefined ? "-" : (each.median / base.median).toFixed(2);
    console.log(`| ${each.name} | ${each.median.toFixed(2)} | ${each.min.toFixed(2)} | ${cpu} | ${ratio} |`);
  }
}

/** One line that says on what machine, and how noisy, the numbers were taken. */
export function machineLine(): string {
  const cpu = cpus();
  return `machine: ${cpu.length} x ${cpu[0]?.model.trim() ?? "unknown"}, Linux ${release()}, load ${loadavg()[0]?.toFixed(2)}`;
}
