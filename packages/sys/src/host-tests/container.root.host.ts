// sys:mount, sys:namespace, sys:capability and sys:bpf for real, inside namespaces of the test's own. Needs root.
// portable: runs in the host.

import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CREAT, O_DIRECTORY, O_RDONLY, O_WRONLY } from "../constants/fs.ts";
import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { inChild, scratchDirectory, sysErrorOf } from "./scratch.ts";

const { bpf, capability, fs, mount, namespace, process } = realKernel;
const [NEWNS, NEWUTS, NEWPID, NEWNET] = [0x20000, 0x4000000, 0x20000000, 0x40000000];
const [MS_REC, MS_PRIVATE, MS_BIND] = [0x4000, 0x40000, 0x1000];
const MNT_DETACH = 2;
const RDONLY = 1;

/** Runs `body` in a mount namespace of its own, with `path` opened there. */
function inMountNamespace(path: string, body: (dir: number) => void): number {
  return inChild(() => {
    namespace.unshare(NEWNS);
    mount.mount("", "/", "", MS_REC | MS_PRIVATE, "");
    body(fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0));
  }).code;
}

test("mount: tmpfs with options, bind, unmount; what fails says the target", (t) => {
  const { path } = scratchDirectory(t);
  assert.equal(
    inMountNamespace(path, () => {
      mount.mount("tmpfs", path, "tmpfs", 0, "size=64k,mode=700");
      const fd = fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
      assert.deepEqual([fs.fstatfs(fd).type, fs.fstatfs(fd).blocks], [0x01021994, 16]);
      fs.mkdirAt(fd, "inner", 0o755);
      mount.mount(path, `${path}/inner`, "", MS_BIND, "");
      mount.umount2(`${path}/inner`, MNT_DETACH);
      assert.equal(sysErrorOf(() => mount.umount2(`${path}/inner`, 0)).errno, "EINVAL");
      const error = sysErrorOf(() => mount.mount("x", `${path}/none`, "tmpfs", 0, ""));
      assert.deepEqual([error.errno, error.call, error.subject], ["ENOENT", "mount", `${path}/none`]);
      assert.equal(sysErrorOf(() => mount.mount("x", path, "nosuchfs", 0, "")).errno, "ENODEV");
    }),
    0,
  );
});

test("removeTree: a mount on the way is the caller's, one below is not entered", (t) => {
  const { path } = scratchDirectory(t);
  assert.equal(
    inMountNamespace(path, (dir) => {
      fs.mkdirAt(dir, "state", 0o755);
      mount.mount("tmpfs", `${path}/state`, "tmpfs", 0, "");
      fs.mkdirAt(AT_FDCWD, `${path}/state/box`, 0o755);
      fs.mkdirAt(AT_FDCWD, `${path}/state/box/inner`, 0o755);
      mount.mount("tmpfs", `${path}/state/box/inner`, "tmpfs", 0, "");
      assert.equal(sysErrorOf(() => fs.removeTree(AT_FDCWD, `${path}/state/box`)).errno, "EXDEV");
      assert.equal(sysErrorOf(() => fs.removeTree(AT_FDCWD, `${path}/state/box/inner`)).errno, "EXDEV");
      mount.umount2(`${path}/state/box/inner`, MNT_DETACH);
      fs.removeTree(AT_FDCWD, `${path}/state/box//`);
      assert.equal(fs.accessAt(AT_FDCWD, `${path}/state/box`, 0), false);
      fs.removeTree(AT_FDCWD, `${path}/state/none/box`);
    }),
    0,
  );
});

test("fsopen: a file system without a path, attached by descriptor; the kernel's own words on failure", (t) => {
  const { path } = scratchDirectory(t);
  assert.equal(
    inMountNamespace(path, (dir) => {
      const context = mount.fsopen("tmpfs", 0);
      mount.fsconfigString(context, "size", "64k");
      mount.fsconfigFlag(context, "ro");
      mount.fsconfigCreate(context);
      const tree = mount.fsmount(context, 0, 4);
      fs.mkdirAt(dir, "m", 0o755);
      mount.moveMount(tree, "", dir, "m", 4);
      assert.equal(sysErrorOf(() => fs.mkdirAt(dir, "m/x", 0o755)).errno, "EROFS");
      const picked = mount.fspick(dir, "m", 0);
      mount.fsconfigFlag(picked, "rw");
      mount.fsconfigReconfigure(picked);
      fs.mkdirAt(dir, "m/x", 0o755);
      const bad = mount.fsopen("tmpfs", 0);
      const error = sysErrorOf(() => mount.fsconfigString(bad, "nonsense", "1"));
      assert.deepEqual([error.errno, error.call], ["EINVAL", "fsconfig"]);
      assert.match(error.subject, /^nonsense=1: .*tmpfs.*[Uu]nknown parameter/);
    }),
    0,
  );
});

test("openTree, mountSetattr: a detached read-only copy", (t) => {
  const { fd, path } = scratchDirectory(t);
  fs.close(fs.openat(fd, "file", O_WRONLY | O_CREAT, 0o600));
  assert.equal(
    inMountNamespace(path, (dir) => {
      const tree = mount.openTree(dir, "", 1 | AT_EMPTY_PATH | AT_RECURSIVE);
      mount.mountSetattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, {
        set: RDONLY,
        clear: 0,
        propagation: MS_PRIVATE,
        usernsFd: -1,
      });
      assert.equal(sysErrorOf(() => fs.openat(tree, "file", O_WRONLY, 0)).errno, "EROFS");
      fs.close(fs.openat(dir, "file", O_WRONLY, 0));
    }),
    0,
  );
});

test("pivotRoot and chroot: the old root is gone", (t) => {
  const { path } = scratchDirectory(t);
  assert.equal(
    inMountNamespace(path, () => {
      mount.mount("tmpfs", path, "tmpfs", 0, "");
      fs.mkdirAt(AT_FDCWD, `${path}/inside`, 0o755);
      process.chdir(path);
      mount.pivotRoot(".", ".");
      mount.umount2(".", MNT_DETACH);
      process.chdir("/");
      assert.equal(process.getcwd(), "/");
      const root = fs.openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
      assert.deepEqual(
        fs.readDir(root).map(({ name }) => name),
        ["inside"],
      );
      process.chroot("/inside");
      assert.match(process.getcwd(), /^\(unreachable\)\//);
    }),
    0,
  );
});

test("namespaces: born in new ones, and joined by descriptor", () => {
  const { pid, pidfd } = process.clone3({ flags: NEWUTS | NEWPID | NEWNET | NEWNS });
  if (pid === 0) {
    process.sethostname("inside");
    process.setdomainname("here");
    process.exit(process.getpid() === 1 && process.getppid() === 0 && process.uname().nodename === "inside" ? 0 : 1);
  }
  assert.equal(process.waitpid(pid, 0)?.code, 0);
  fs.close(pidfd);
  const own = fs.openat(AT_FDCWD, "/proc/self/ns/uts", O_RDONLY, 0);
  const name = process.uname().nodename;
  assert.equal(
    inChild(() => {
      namespace.unshare(NEWUTS);
      process.sethostname("elsewhere");
      namespace.setns(own, NEWUTS);
      assert.equal(process.uname().nodename, name);
      assert.equal(sysErrorOf(() => namespace.setns(own, NEWNET)).errno, "EINVAL");
    }).code,
    0,
  );
  fs.close(own);
});

test("capabilities: sets shrink, bounding set keeps only what it is told, ambient follows", () => {
  assert.equal(
    inChild(() => {
      capability.boundingKeepOnly([0, 5, 10]);
      assert.deepEqual(
        [0, 10, 21].map((number) => capability.boundingHas(number)),
        [true, true, false],
      );
      capability.boundingDrop(10);
      assert.equal(capability.boundingHas(10), false);
      capability.capset({ effective: [0, 5], permitted: [0, 5, 10], inheritable: [5] });
      assert.deepEqual(capability.capget(0), { effective: [0, 5], permitted: [0, 5, 10], inheritable: [5] });
      capability.ambientRaise(5);
      assert.equal(capability.ambientHas(5), true);
      assert.equal(sysErrorOf(() => capability.ambientRaise(10)).errno, "EPERM");
      capability.ambientClear();
      assert.equal(capability.ambientHas(5), false);
      const error = sysErrorOf(() => capability.capset({ effective: [], permitted: [21], inheritable: [] }));
      assert.deepEqual([error.errno, error.call], ["EPERM", "capset"]);
      assert.throws(() => capability.capset({ effective: [64], permitted: [], inheritable: [] }), {
        name: "TypeError",
      });
    }).code,
    0,
  );
});

test("credentials: a copy becomes somebody else for good", () => {
  assert.equal(
    inChild(() => {
      process.setgroups([7, 65534]);
      assert.deepEqual(process.getgroups(), [7, 65534]);
      process.setresgid(1234, 1234, 1234);
      process.setresuid(1234, 1234, 1234);
      assert.deepEqual(
        [process.getuid(), process.geteuid(), process.getgid(), process.getegid()],
        [1234, 1234, 1234, 1234],
      );
      assert.equal(sysErrorOf(() => process.setresuid(0, 0, 0)).errno, "EPERM");
    }).code,
    0,
  );
});

test("bpf: a device program is loaded; the verifier says why not", () => {
  // r0 = 1; exit: allow everything.
  const allow = new Uint8Array([0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
  const program = bpf.loadCgroupDevice(allow);
  assert.ok(program > 2);
  const cgroups = fs
    .readTextAt(AT_FDCWD, "/proc/self/mountinfo", 1 << 20)
    .split("\n")
    .filter((line) => line.includes(" - cgroup2 "));
  const top = cgroups[0]?.split(" ")[4];
  if (top !== undefined) {
    const path = `${top}/teu-host-test-${process.getpid()}`;
    fs.mkdirAt(AT_FDCWD, path, 0o755);
    const cgroup = fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    bpf.attachCgroupDevice(cgroup, program, -1);
    const ids = bpf.queryCgroupDevice(cgroup);
    assert.equal(ids.length, 1);
    const again = bpf.programById(ids[0] ?? 0);
    const other = bpf.loadCgroupDevice(allow);
    bpf.attachCgroupDevice(cgroup, other, again);
    assert.notDeepEqual(bpf.queryCgroupDevice(cgroup), ids);
    for (const fd of [cgroup, again, other]) fs.close(fd);
    fs.unlinkAt(AT_FDCWD, path, 0x200);
  }
  fs.close(program);
  const error = sysErrorOf(() => bpf.loadCgroupDevice(allow.slice(8)));
  assert.equal(error.call, "bpf(BPF_PROG_LOAD)");
  assert.ok(error.subject.length > 0);
  assert.equal(sysErrorOf(() => bpf.loadCgroupDevice(new Uint8Array(5))).errno, "EINVAL");
});
