import assert from "node:assert/strict";
import { test } from "node:test";
import {
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "@teu/sys/constants/fs";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { sysError } from "@teu/sys/sys-error";
import { fakeHost } from "../testing/fake-host.ts";
import { withoutOpenat2 } from "../testing/without-openat2.ts";
import { openScoped, openScopedIfThere, walkBelow } from "./scoped-open.ts";
import { differences, plantTree } from "./scoped-open.suite.ts";

const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

function rootfs() {
  const fake = createFakeKernel();
  fake.makeDirectory("/r");
  fake.makeDirectory("/host/secret");
  const { fs } = fake.kernel;
  return { fake, kernel: fake.kernel, fs, root: fs.openat(-100, "/r", O_PATH | O_DIRECTORY, 0) };
}

test("walkBelow: as openat2 of the fake kernel in a tree of links, and leaves nothing open", () => {
  const { fake, kernel, root } = rootfs();
  plantTree(kernel, root);
  const before = fake.leaks().fds.length;
  assert.deepEqual(differences(kernel, root), []);
  assert.equal(fake.leaks().fds.length, before);
});

test("walkBelow: .. and links stay below the root, whatever is there outside", () => {
  const { fake, kernel, fs, root } = rootfs();
  plantTree(kernel, root);
  fake.makeLink("/r/out", "/host/secret");
  fake.makeLink("/r/outUp", "../host/secret");
  for (const path of ["out", "outUp", "../host/secret", "a/../../host", "a/b/back/../../../../host"])
    assert.throws(() => walkBelow(kernel, root, path, O_PATH, INSIDE), { errno: "ENOENT" }, path);
  fake.makeDirectory("/r/host/secret");
  const inside = fs.fstat(fs.openat(-100, "/r/host/secret", O_PATH, 0)).ino;
  for (const path of ["out", "outUp", "../host/secret"])
    assert.equal(fs.fstat(walkBelow(kernel, root, path, O_PATH, INSIDE)).ino, inside, path);
});

test("walkBelow: magic links are refused, plain links of a procfs's uppermost directory are not", () => {
  const { fake, kernel, root } = rootfs();
  const { mount } = kernel;
  const context = mount.fsopen("proc", 0);
  mount.fsconfigCreate(context);
  fake.makeDirectory("/r/proc");
  const proc = mount.fsmount(context, 0, 0);
  mount.moveMount(proc, "", -100, "/r/proc", 4);
  for (const path of ["proc/self/root", "proc/self/root/host/secret", "proc/self/ns/mnt"])
    assert.throws(() => walkBelow(kernel, root, path, O_PATH, INSIDE), { errno: "ELOOP" }, path);
  kernel.fs.symlinkAt("self", proc, "same");
  kernel.fs.close(walkBelow(kernel, root, "proc/same/stat", O_RDONLY, INSIDE));
});

/** Each time that `name` is opened in its directory, the directory has just been moved out of the root; `back`: it was back before. */
function withMoves(kernel: Kernel, name: string, back: boolean): { kernel: Kernel; moves: () => number } {
  const { fs } = kernel;
  let moves = 0;
  const openat: Kernel["fs"]["openat"] = (dirfd, path, flags, mode) => {
    if (path === "moving" && back && moves > 0) fs.renameAt(-100, "/host/moved", -100, "/r/moving", 0);
    if (path === name && (back || moves === 0)) {
      fs.renameAt(-100, "/r/moving", -100, "/host/moved", 0);
      moves++;
    }
    return fs.openat(dirfd, path, flags, mode);
  };
  return { kernel: { ...kernel, fs: { ...fs, openat } }, moves: () => moves };
}

for (const path of ["moving/leaf", "moving/sub/..", "moving/link"]) {
  test(`walkBelow: ${path} is not what it was moved out to; tried anew, and given up when that goes on`, () => {
    const { fake, kernel, root } = rootfs();
    fake.makeDirectory("/r/moving/sub");
    fake.writeFile("/r/moving/leaf", "x");
    fake.makeLink("/r/moving/link", "leaf");
    const name = path.endsWith("..") ? "sub" : "leaf";
    const before = fake.leaks().fds.length;
    const always = withMoves(kernel, name, true);
    assert.throws(() => walkBelow(always.kernel, root, path, O_PATH, INSIDE), { errno: "EAGAIN", call: "openat2" });
    assert.equal(always.moves(), 32);
    kernel.fs.renameAt(-100, "/host/moved", -100, "/r/moving", 0);
    assert.throws(() => walkBelow(withMoves(kernel, name, false).kernel, root, path, O_PATH, INSIDE), {
      errno: "ENOENT",
    });
    assert.equal(fake.leaks().fds.length, before);
  });
}

test("openScoped: by hand with ENOSYS, and with EPERM when a filter says it", () => {
  const { fake, kernel, fs, root } = rootfs();
  fake.makeDirectory("/r/a");
  for (const errno of ["ENOSYS", "EPERM"] as const) {
    const without = withoutOpenat2(kernel, errno);
    fs.close(openScoped(without, root, "/../a", O_PATH, INSIDE));
    assert.equal(openScopedIfThere(without, root, "none", O_PATH, INSIDE), -1);
    assert.throws(() => openScoped(without, root, "../a", O_PATH, RESOLVE_BENEATH), { errno: "EXDEV" });
  }
  const openat2: Kernel["fs"]["openat2"] = (dirfd, path, ...rest) => {
    if (path === "a") throw sysError("EPERM", "openat2", path);
    return fs.openat2(dirfd, path, ...rest);
  };
  const refusing = { ...kernel, fs: { ...fs, openat2 } };
  assert.throws(() => openScoped(refusing, root, "a", O_PATH, INSIDE), { errno: "EPERM" }, "the file's own answer");
});

test("create, start, exec, delete: the same without openat2", () => {
  const life = (kernelOf: (kernel: Kernel) => Kernel): unknown => {
    const host = fakeHost();
    host.configure((spec) => ({
      ...spec,
      mounts: [...(spec.mounts ?? []), { destination: "/new/place", type: "tmpfs", source: "tmpfs" }],
      linux: { ...spec.linux, sysctl: { "net.ipv4.ip_forward": "1" } },
    }));
    const kernel = kernelOf(host.kernel);
    const words = ["create -b /bundle --pid-file /run/pid c1", "start c1", "exec c1 /bin/seven", "delete --force c1"];
    const outcomes = words.map((line) => host.run(line.split(" "), kernel));
    return [outcomes, host.exists("/bundle/rootfs/new/place"), host.leaks().fds.length];
  };
  const plain = life((kernel) => kernel);
  for (const errno of ["ENOSYS", "EPERM"] as const)
    assert.deepEqual(
      life((kernel) => withoutOpenat2(kernel, errno)),
      plain,
    );
});
