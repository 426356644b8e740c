import assert from "node:assert/strict";
import { test } from "node:test";
import { RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from "../constants/fs.ts";
import { transcribe } from "../transcript/transcript.ts";
import { createFakeKernel } from "./fake-kernel.ts";

const O_PATH = 0o10000000;

test("openat2: RESOLVE_IN_ROOT keeps links and dots inside, BENEATH refuses them, NO_SYMLINKS is ELOOP", () => {
  const { kernel, makeDirectory, makeLink } = createFakeKernel();
  makeDirectory("/etc");
  makeDirectory("/r/etc/inner");
  makeLink("/r/out", "/etc");
  const root = kernel.fs.openat(-100, "/r", O_PATH, 0);
  const inside = kernel.fs.openat2(root, "/out/inner", O_PATH, 0, RESOLVE_IN_ROOT);
  assert.equal(kernel.fs.fstat(inside).ino, kernel.fs.statAt(-100, "/r/etc/inner", 0).ino);
  assert.throws(() => kernel.fs.openat2(root, "out/inner", O_PATH, 0, RESOLVE_BENEATH), { errno: "EXDEV" });
  assert.throws(() => kernel.fs.openat2(root, "../etc", O_PATH, 0, RESOLVE_BENEATH), { errno: "EXDEV" });
  assert.throws(() => kernel.fs.openat2(root, "/out", O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS), {
    errno: "ELOOP",
  });
});

test("mounts: a detached file system appears where it is moved, and a copy of the namespace does not see later ones", () => {
  const { kernel, makeDirectory, exists } = createFakeKernel();
  makeDirectory("/m");
  const context = kernel.mount.fsopen("tmpfs", 1);
  kernel.mount.fsconfigCreate(context);
  const tree = kernel.mount.fsmount(context, 1, 0);
  kernel.fs.mkdirAt(tree, "inside", 0o755);
  const { pid } = kernel.process.clone3({ flags: 0x20000 });
  kernel.mount.moveMount(tree, "", -100, "/m", 4);
  assert.equal(exists("/m/inside"), true);
  kernel.simulation?.enter(pid);
  assert.equal(exists("/m/inside"), false);
});

test("failOn: the nth call fails, those before and after do not", () => {
  const { kernel, failOn } = createFakeKernel();
  failOn("fs.mkdirAt", 2, "ENOSPC");
  kernel.fs.mkdirAt(-100, "/a", 0o755);
  assert.throws(() => kernel.fs.mkdirAt(-100, "/b", 0o755), { errno: "ENOSPC" });
  kernel.fs.mkdirAt(-100, "/c", 0o755);
});

test("leaks: tells fds that are still open and cgroups that are still there", () => {
  const { kernel, leaks } = createFakeKernel();
  const fd = kernel.fs.openat(-100, "/", O_PATH, 0);
  kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/pids/x", 0o755);
  assert.deepEqual(leaks(), { fds: [fd], cgroups: ["pids:x"] });
  kernel.fs.close(fd);
  kernel.fs.unlinkAt(-100, "/sys/fs/cgroup/pids/x", 0x200);
  assert.deepEqual(leaks(), { fds: [], cgroups: [] });
});

test("cgroups: a directory with a process in it cannot be removed", () => {
  const { kernel } = createFakeKernel();
  kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/pids/x", 0o755);
  kernel.fs.writeTextAt(-100, "/sys/fs/cgroup/pids/x/tasks", "0");
  assert.equal(kernel.fs.readTextAt(-100, "/sys/fs/cgroup/pids/x/cgroup.procs", 100), "100\n");
  assert.throws(() => kernel.fs.unlinkAt(-100, "/sys/fs/cgroup/pids/x", 0x200), { errno: "EBUSY" });
});

test("capset: no capability that the process has not", () => {
  const { kernel } = createFakeKernel();
  kernel.capability.capset({ effective: [], permitted: [5], inheritable: [] });
  assert.throws(() => kernel.capability.capset({ effective: [], permitted: [5, 6], inheritable: [] }), {
    errno: "EPERM",
  });
});

test("transcribe: fds by what they stand for, flags by name, errors by errno", () => {
  const fake = createFakeKernel();
  const lines: string[] = [];
  const kernel = transcribe(fake.kernel, (line) => lines.push(line));
  const fd = kernel.fs.openat(-100, "/proc", O_PATH, 0);
  assert.throws(() => kernel.fs.openat2(fd, "none", 0, 0, RESOLVE_IN_ROOT));
  kernel.fs.close(fd);
  assert.deepEqual(lines, [
    'runtime openat("/proc", O_PATH)',
    'runtime openat2(</proc>, "none", RESOLVE_IN_ROOT) = ENOENT',
    "runtime close(</proc>)",
  ]);
});
