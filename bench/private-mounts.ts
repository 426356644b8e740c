// A mount namespace of its own for a bench that must mount something, so that the host's mount table is never touched.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CGROUPS = "/sys/fs/cgroup";

/** Runs `file` again under `unshare --mount` and ends this process with its status, unless that has been done already. */
export function onlyInPrivateMounts(file: string): void {
  if (process.env["TEU_BENCH_PRIVATE"] === "1") return;
  const argv = ["--mount", "--propagation", "private", process.execPath, file, ...process.argv.slice(2)];
  const result = spawnSync("unshare", argv, { stdio: "inherit", env: { ...process.env, TEU_BENCH_PRIVATE: "1" } });
  process.exit(result.status ?? 1);
}

/**
 * Debian 12's crun refuses the hybrid cgroup layout until hugetlb is on v1 as well. To be called inside a private mount namespace
 * only. The mount point is made on a tmpfs of our own, moved over the cgroup directory: one made on the host's tmpfs would be seen
 * by other runtimes, and some write plain files into it.
 */
export function mountHugetlbForCrun(): void {
  if (existsSync(join(CGROUPS, "cgroup.controllers")) || existsSync(join(CGROUPS, "hugetlb/tasks"))) return;
  const staging = mkdtempSync(join(tmpdir(), "teu-bench-cgroup-"));
  mount("-t", "tmpfs", "cgroup", staging);
  for (const entry of readdirSync(CGROUPS, { withFileTypes: true })) {
    const from = join(CGROUPS, entry.name);
    const to = join(staging, entry.name);
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    if (!entry.isDirectory()) continue;
    mkdirSync(to);
    mount("--bind", from, to);
  }
  mkdirSync(join(staging, "hugetlb"), { recursive: true });
  mount("-t", "cgroup", "-o", "hugetlb", "cgroup", join(staging, "hugetlb"));
  mount("--move", staging, CGROUPS);
  rmdirSync(staging);
}

function mount(...argv: string[]): void {
  execFileSync("mount", argv);
}
