// A v1 cpuset between the root and the container's that somebody has just made and not filled yet: two starts at once below one parent.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const RUNTIME = join(import.meta.dirname, "../../bin/teu-runtime");
const CPUSET = "/sys/fs/cgroup/cpuset";
const skip =
  process.getuid?.() !== 0 ? "needs root" : existsSync(`${CPUSET}/cpuset.cpus`) ? false : "no cpuset hierarchy of v1";

test("cpuset: a parent that is still empty is filled, and the container starts", { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-cpuset-"));
  const parent = `teu-empty-${process.pid}`;
  mkdirSync(`${CPUSET}/${parent}`);
  try {
    mkdirSync(join(directory, "rootfs/bin"), { recursive: true });
    copyFileSync("/bin/busybox", join(directory, "rootfs/bin/true"));
    execFileSync(RUNTIME, ["spec"], { cwd: directory });
    const file = join(directory, "config.json");
    const spec = JSON.parse(readFileSync(file, "utf8")) as {
      process: { terminal: boolean; args: string[] };
      linux: { cgroupsPath?: string };
    };
    Object.assign(spec.process, { terminal: false, args: ["/bin/true"] });
    spec.linux.cgroupsPath = `/${parent}/box`;
    writeFileSync(file, JSON.stringify(spec));
    const args = ["--root", join(directory, "state"), "run", parent];
    const { status, stderr } = spawnSync(RUNTIME, args, { cwd: directory, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(
      readFileSync(`${CPUSET}/${parent}/cpuset.cpus`, "utf8"),
      readFileSync(`${CPUSET}/cpuset.cpus`, "utf8"),
    );
  } finally {
    for (const controller of execFileSync("ls", ["/sys/fs/cgroup"], { encoding: "utf8" }).trim().split("\n"))
      if (existsSync(`/sys/fs/cgroup/${controller}/${parent}`)) rmdirSync(`/sys/fs/cgroup/${controller}/${parent}`);
    rmSync(directory, { recursive: true });
  }
});
