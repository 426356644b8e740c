import assert from "node:assert/strict";
import { test } from "node:test";
import type { Process } from "@teu/specs/runtime";
import { SELINUX_MAGIC } from "@teu/sys/constants/fs";
import { directory } from "@teu/sys/fake/inode";
import { Mount } from "@teu/sys/fake/world";
import { transcribe } from "@teu/sys/transcript/transcript";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function hostWith(process: Partial<Process>, mountLabel = ""): FakeHost {
  const host = fakeHost();
  host.configure((spec) => ({
    ...spec,
    process: { ...spec.process, cwd: "/", ...process },
    linux: { ...spec.linux, mountLabel },
  }));
  return host;
}

function enableAppArmor({ kernel }: FakeHost): void {
  const { fs } = kernel;
  for (const path of ["/sys/module", "/sys/module/apparmor", "/sys/module/apparmor/parameters"])
    fs.mkdirAt(-100, path, 0o755);
  fs.close(fs.openat(-100, "/sys/module/apparmor/parameters/enabled", 0o101, 0o644));
  fs.writeTextAt(-100, "/sys/module/apparmor/parameters/enabled", "Y\n");
}

function enableSelinux({ kernel, world }: FakeHost): void {
  kernel.fs.mkdirAt(-100, "/sys/fs/selinux", 0o755);
  const place = kernel.fs.openat(-100, "/sys/fs/selinux", 0, 0);
  const { mount, inode } = world.located(place, "test");
  kernel.fs.close(place);
  mount.attach(inode, new Mount(directory(SELINUX_MAGIC), "selinuxfs"));
}

function attributes(host: FakeHost): ReadonlyMap<string, string> {
  const { pid } = JSON.parse(host.run(["state", "c1"]).out) as { pid: number };
  return host.world.process(pid, "test").idMaps;
}

for (const [process, mountLabel, text] of [
  [{ apparmorProfile: "box" }, "", /AppArmor is not enabled on this host/],
  [{ selinuxLabel: "a:b:c:s0" }, "", /SELinux is not enabled on this host/],
  [{}, "a:b:c:s0", /linux.mountLabel.*SELinux is not enabled on this host/],
] as const)
  test(`labels: unsupported, and nothing is left, without the kernel's part: ${JSON.stringify([process, mountLabel])}`, () => {
    const host = hostWith(process, mountLabel);
    const outcome = host.run(["create", "-b", "/bundle", "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, text);
    assert.equal(host.exists("/run/teu/c1"), false);
    assert.deepEqual(host.leaks().cgroups, []);
  });

test("labels: the AppArmor profile is set for what is executed", () => {
  const host = hostWith({ apparmorProfile: "box" });
  enableAppArmor(host);
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).err, "");
  assert.equal(attributes(host).get("attr/apparmor/exec"), "exec box");
});

test("labels: the SELinux label is set, and mounts have theirs", () => {
  const host = hostWith({ selinuxLabel: "u:r:box:s0:c1,c2" }, "u:r:file:s0:c1,c2");
  enableSelinux(host);
  const lines: string[] = [];
  assert.equal(
    host.run(
      ["run", "-d", "-b", "/bundle", "c1"],
      transcribe(host.kernel, (line) => lines.push(line)),
    ).err,
    "",
  );
  assert.equal(attributes(host).get("attr/exec"), "u:r:box:s0:c1,c2");
  const labelled = lines.filter((line) => line.includes('"context", "u:r:file:s0:c1,c2"'));
  const fstypes = labelled.map((line) => /<new (\w+)>/.exec(line)?.[1]);
  // /dev, /dev/pts, /dev/shm, and what covers masked directories; not proc, sysfs and mqueue.
  assert.deepEqual([...new Set(fstypes)].sort(), ["devpts", "tmpfs"]);
});

test("labels: exec has those of its own document", () => {
  const host = hostWith({});
  enableAppArmor(host);
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const lines: string[] = [];
  host.run(
    ["exec", "--apparmor", "other", "c1", "/bin/true"],
    transcribe(host.kernel, (line) => lines.push(line)),
  );
  assert.ok(lines.some((line) => line.includes('write(</proc/self/attr/apparmor/exec>, "exec other")')));
});

test("labels: denied, and everything undone, when the kernel refuses the profile", () => {
  const host = hostWith({ apparmorProfile: "box" });
  enableAppArmor(host);
  const refusing = {
    ...host.kernel,
    fs: {
      ...host.kernel.fs,
      write: (fd: number, data: Uint8Array | string) => {
        if (data === "exec box") throw Object.assign(new Error("write: ENOENT"), { errno: "ENOENT", call: "write" });
        return host.kernel.fs.write(fd, data);
      },
    },
  };
  const outcome = host.run(["run", "-d", "-b", "/bundle", "c1"], refusing);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /is the profile loaded/);
  assert.equal(host.exists("/run/teu/c1"), false);
});
