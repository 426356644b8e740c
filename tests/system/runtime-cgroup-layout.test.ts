// What counts as a cgroup hierarchy is decided by the kind of file system, not by a name: a plain directory that is called like a controller,
// even with the files of a cgroup in it, is left alone. Needs root and cgroup v1.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const RUNTIME = join(import.meta.dirname, "../../bin/teu-runtime");
const isV1 = existsSync("/sys/fs/cgroup/devices/tasks");
const skip = process.geteuid?.() !== 0 ? "needs root" : !isV1 && "needs cgroup v1";

// Every mount of the host once more on a tmpfs of our own, but for one, in whose place is a directory that only looks like it. The host's
// own mount of it is still listed in mountinfo, hidden.
const SCRIPT = `set -e
mount -t tmpfs cgroup "$1/cgroups"
for from in /sys/fs/cgroup/*; do
  [ -d "$from" ] && [ ! -L "$from" ] || continue
  mkdir "$1/cgroups/\${from##*/}"
  mount --bind "$from" "$1/cgroups/\${from##*/}"
done
umount "$1/cgroups/pids"
: > "$1/cgroups/pids/cgroup.procs"
: > "$1/cgroups/pids/tasks"
mount --move "$1/cgroups" /sys/fs/cgroup
"$2" --root "$1/state" run --bundle "$1/bundle" layout-test
find /sys/fs/cgroup/pids -mindepth 1
cat /sys/fs/cgroup/pids/tasks`;

test("cgroups: a plain directory called like a controller is no hierarchy", { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-layout-"));
  try {
    const bundle = join(directory, "bundle");
    mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
    mkdirSync(join(directory, "cgroups"));
    copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
    execFileSync(RUNTIME, ["spec", "--bundle", bundle]);
    const file = join(bundle, "config.json");
    const spec = JSON.parse(readFileSync(file, "utf8")) as { process: { terminal: boolean; args: string[] } };
    spec.process.terminal = false;
    // Seen from inside: the hierarchies that the runtime found, for it mounts each of them.
    spec.process.args = ["/bin/busybox", "sh", "-c", "for one in /sys/fs/cgroup/*; do busybox echo inside $one; done"];
    writeFileSync(file, JSON.stringify(spec));
    const unshare = ["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh", directory, RUNTIME];
    const lines = execFileSync("unshare", unshare, { encoding: "utf8" }).trim().split("\n");
    const inside = lines.filter((line) => line.startsWith("inside "));
    assert.ok(inside.includes("inside /sys/fs/cgroup/devices"), lines.join("\n"));
    assert.ok(!inside.includes("inside /sys/fs/cgroup/pids"), lines.join("\n"));
    const rest = lines.filter((line) => !line.startsWith("inside ")).sort();
    assert.deepEqual(rest, ["/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/pids/tasks"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
