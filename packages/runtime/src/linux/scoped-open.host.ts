// The walk by hand beside openat2(2) on the real kernel, and in its place where a filter takes openat2 away.
// portable: runs in the host.

import { AT_FDCWD, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "@teu/sys/constants/fs";
import { PR_SET_NO_NEW_PRIVS } from "@teu/sys/constants/process";
import { inChild, openDescriptors, scratchDirectory, sysErrorOf } from "@teu/sys/host-tests/scratch";
import { realKernel } from "@teu/sys/real";
import { assert } from "@teu/sys/test-host/assert";
import { test } from "@teu/sys/test-host/test";
import { RootfsPath } from "./rootfs-path.ts";
import { openScoped, openScopedIfThere } from "./scoped-open.ts";
import { differences, plantTree } from "./scoped-open.suite.ts";

const { fs, process, seccomp } = realKernel;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

test("walkBelow: as openat2 in a tree of links, and leaves nothing open", (t) => {
  const { fd } = scratchDirectory(t);
  plantTree(realKernel, fd);
  const before = openDescriptors();
  assert.deepEqual(differences(realKernel, fd), []);
  assert.deepEqual(openDescriptors(), before);
});

test("walkBelow: as openat2 in procfs: magic links are refused, plain ones are not", () => {
  const proc = fs.openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
  const magic = ["exe", "cwd", "cwd/..", "root", "root/etc", "fd/0", "ns/mnt", "ns/mnt/x"].map(
    (name) => `self/${name}`,
  );
  const plain = ["self", "self/comm", "thread-self/comm", "mounts", "net", "net/dev", "self/attr/..", "sys/kernel"];
  assert.deepEqual(differences(realKernel, proc, [...magic, ...plain]), []);
  fs.close(proc);
});

test("walkBelow: as openat2 across mounts", () => {
  const root = fs.openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  const paths = [
    "proc",
    "proc/../proc/sys",
    "proc/self/root/etc",
    "proc/net/dev",
    "dev/null",
    "sys/kernel/..",
    "proc/..",
  ];
  assert.deepEqual(differences(realKernel, root, paths), []);
  fs.close(root);
});

for (const [errno, number] of [
  ["ENOSYS", 38],
  ["EPERM", 1],
] as const) {
  test(`RootfsPath: works in the root under a filter that answers openat2 with ${errno}`, (t) => {
    const { fd, path } = scratchDirectory(t);
    const { program } = seccomp.compile({
      defaultAction: ALLOW,
      architectures: [],
      rules: [{ syscall: "openat2", action: ERRNO | number, args: [] }],
    });
    const status = inChild(() => {
      plantTree(realKernel, fd);
      process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      seccomp.load(program, 0);
      assert.equal(sysErrorOf(() => fs.openat2(fd, "a", O_PATH, 0, INSIDE)).errno, errno);
      const root = new RootfsPath(realKernel, fd);
      const before = openDescriptors();
      for (const [name, followed, made] of [
        ["/a/b", false, false],
        ["/relative", true, false],
        ["/new/deep", true, true],
        ["/outside/made", true, true],
      ] as const) {
        const target = root.openTarget(name, "directory");
        assert.deepEqual([target.followedLink, target.made], [followed, made], name);
        fs.close(target.fd);
      }
      fs.close(root.openTarget("/absolute/newFile", "file").fd);
      assert.ok(fs.accessAt(fd, "etc/passwd/made", 0), "the link to /etc/passwd leads inside");
      assert.ok(fs.accessAt(fd, "a/b/newFile", 0));
      assert.equal(root.find("/none/x"), null);
      assert.equal(openScopedIfThere(realKernel, fd, "a/b/file/x", O_PATH, INSIDE), -1);
      assert.equal(sysErrorOf(() => root.openStrict("/relative", O_PATH)).errno, "ELOOP");
      assert.equal(sysErrorOf(() => openScoped(realKernel, fd, "loop", O_PATH, INSIDE)).errno, "ELOOP");
      assert.deepEqual(openDescriptors(), before);
      fs.mkdirAt(fd, "tree", 0o755);
      fs.mkdirAt(fd, "tree/below", 0o755);
      fs.removeTree(AT_FDCWD, `${path}/tree`);
      assert.equal(fs.accessAt(fd, "tree", 0), false);
    });
    assert.deepEqual(status, { kind: "exited", code: 0 });
  });
}
