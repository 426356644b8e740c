// A mount namespace of its own for a bench that must mount something, so that the host's mount table is never touched.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";

const HUGETLB = "/sys/fs/cgroup/hugetlb";

/** Runs `file` again under `unshare --mount` and ends this process with its status, unless that has been done already. */
export function onlyInPrivateMounts(file: string): void {
  if (process.env["TEU_BENCH_PRIVATE"] === "1") return;
  const hadHugetlb = existsSync(HUGETLB);
  const argv = ["--mount", "--propagation", "private", process.execPath, file, ...process.argv.slice(2)];
  const result = spawnSync("unshare", argv, { stdio: "inherit", env: { ...process.env, TEU_BENCH_PRIVATE: "1" } });
  // The mount went with the namespace; its empty mount point is on the shared cgroup tmpfs and is ours to remove.
  if (!hadHugetlb && existsSync(HUGETLB)) rmdirSync(HUGETLB);
  process.exit(result.status ?? 1);
}

/**
 * Debian 12's crun refuses the hybrid cgroup layout until hugetlb is on v1 as well. To be called inside a private mount
 * namespace only: the mount is gone with it, and `onlyInPrivateMounts` removes the mount point.
 */
export function mountHugetlbForCrun(): void {
  if (existsSync("/sys/fs/cgroup/cgroup.controllers") || existsSync(`${HUGETLB}/tasks`)) return;
  if (!existsSync(HUGETLB)) mkdirSync(HUGETLB);
  execFileSync("mount", ["-t", "cgroup", "-o", "hugetlb", "cgroup", HUGETLB]);
}
