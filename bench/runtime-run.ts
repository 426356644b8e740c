// How long does one `run true` of a standard bundle take, and how much memory, beside crun and runc?
// Command: npm run bench -- runtime-run

import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";

const runtime = join(import.meta.dirname, "../bin/teu-runtime");

/** A bundle as `runc spec` writes it, without terminal, running busybox `true`; the caller removes `dir`. */
function makeBundle(dir: string): string {
  const bundle = join(dir, "bundle");
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  symlinkSync("busybox", join(bundle, "rootfs/bin/true"));
  execFileSync("runc", ["spec", "--bundle", bundle]);
  const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as {
    ociVersion: string;
    process: { terminal: boolean; args: string[]; rlimits?: unknown };
  };
  // Debian's crun 1.8 refuses spec versions that are newer than itself.
  spec.ociVersion = "1.0.2";
  spec.process.terminal = false;
  spec.process.args = ["/bin/true"];
  delete spec.process.rlimits;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  return bundle;
}

/**
 * Peak resident set of one command in KiB, its children included. busybox measures, since what measures must be smaller than what is
 * measured (execve carries the maximum over); it takes the kernel's KiB for pages and multiplies them by four.
 */
function peakKiB(command: readonly string[]): number {
  const result = spawnSync("/bin/busybox", ["time", "-v", ...command], { encoding: "utf8" });
  return Number(/Maximum resident set size \(kbytes\): (\d+)/.exec(result.stderr)?.[1] ?? Number.NaN) / 4;
}

function main(): void {
  onlyInPrivateMounts(import.meta.filename);
  mountHugetlbForCrun();
  const dir = mkdtempSync(join(tmpdir(), "teu-bench-"));
  try {
    const bundle = makeBundle(dir);
    const peers = [
      ["teu-runtime", runtime],
      ["crun", "/usr/bin/crun"],
      ["runc", "/usr/sbin/runc"],
    ] as const;
    const present = peers.filter(([, path]) => existsSync(path));
    const commandOf = (name: string, path: string): string[] => [
      path,
      "--root",
      join(dir, name),
      "run",
      "--bundle",
      bundle,
      `bench-${name}`,
    ];
    const contestants = present.map(([name, path]) => ({ name, command: commandOf(name, path).join(" ") }));
    console.log(machineLine());
    printTable("run true", compare(contestants, 30, 5), "crun");
    const versions = present.map(([name, path]) => ({ name, command: `${path} --version` }));
    printTable("--version (process start alone)", compare(versions, 30, 3), "crun");
    console.log("\n| peak RSS of one run | KiB |\n| --- | --- |");
    for (const [name, path] of present) console.log(`| ${name} | ${peakKiB(commandOf(name, path))} |`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

main();
