// What root in a container can see and reach of the host: its processes, mounts, network, cgroups, files, and the runtime itself.
// Runs with default settings, as a user starts a container. The runtime's own cases are in conformance/runtime.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { after, before, test } from "node:test";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
const RUNTIME = new URL("../../bin/teu-runtime", import.meta.url).pathname;
let host: CliHost;
before(async () => {
  if (skip === undefined) host = await CliHost.open();
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

/** Output of a shell script run as root in a fresh container. */
async function inside(script: string, flags: readonly string[] = ["--network", "none"]): Promise<string> {
  return await host.ok(["run", "--rm", ...flags, "base", "sh", "-c", script]);
}

test("isolation: only the container's own processes are seen", { skip }, async () => {
  assert.equal(await inside("cd /proc; echo $$: [0-9]*"), "1: 1");
});

test("isolation: no namespace is the host's", { skip }, async () => {
  for (const name of ["pid", "mnt", "net", "ipc", "uts"]) {
    assert.notEqual(await inside(`readlink /proc/self/ns/${name}`), readlinkSync(`/proc/self/ns/${name}`), name);
  }
});

test("isolation: no mount of the host is seen", { skip }, async () => {
  const mounts = await inside("cat /proc/self/mountinfo");
  // Root of the mount, its point and source; nothing may name the host's directories but the three files made for this container.
  for (const line of mounts.split("\n")) {
    const [, , , root = "", point = ""] = line.split(" ");
    if (["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].includes(point)) continue;
    assert.ok(!root.includes(host.directory), line);
    assert.match(point, /^\/($|proc|sys|dev)/, line);
  }
});

test("isolation: the host's interfaces are not seen, in the bridge network neither", { skip }, async () => {
  assert.equal(await inside("ls /sys/class/net"), "lo");
  assert.equal(await inside("ls /sys/class/net", []), "eth0\nlo");
});

test("isolation: cgroups of the host are neither seen nor writable", { skip }, async () => {
  const script =
    "cat /proc/self/cgroup; for f in $(find /sys/fs/cgroup -name cgroup.procs 2>/dev/null); do echo 1 2>/dev/null > $f && echo WRITABLE $f; done; true";
  const text = await inside(script);
  assert.doesNotMatch(text, /WRITABLE/);
  for (const line of text.split("\n").filter((each) => /^\d+:/.test(each)))
    assert.match(line, /^\d+:[^:]*:\/$/, "a private cgroup namespace shows its own root");
});

test("isolation: open files are the three standard ones (CVE-2024-21626)", { skip }, async () => {
  // ls itself opens the directory it lists: one more.
  assert.equal(await inside("ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3");
  const working = await host.teu(["run", "--rm", "--network", "none", "-w", "/proc/self/fd/7", "base", "pwd"]);
  assert.notEqual(working.code, 0, "a working directory through a leaked descriptor is refused");
});

test(
  "isolation: the program that started the container cannot be reached or changed (CVE-2019-5736)",
  { skip },
  async () => {
    const before = createHash("sha256").update(readFileSync(RUNTIME)).digest("hex");
    const attack = await host.teu(["run", "--rm", "--network", "none", "base", "/proc/self/exe", "--version"]);
    assert.notEqual(attack.code, 0);
    assert.equal(await inside("readlink /proc/1/exe"), "/bin/busybox");
    await inside("for i in 1 2 3 4 5; do (exec 3>>/proc/1/exe) 2>/dev/null && echo; done; true");
    assert.equal(createHash("sha256").update(readFileSync(RUNTIME)).digest("hex"), before);
  },
);

test("isolation: devices of the host cannot be opened, not even after mknod", { skip }, async () => {
  const script =
    "mknod /tmp/disk b 254 0 2>/dev/null; mknod /tmp/mem c 1 1 2>/dev/null; for d in disk mem; do cat /tmp/$d >/dev/null 2>&1 && echo OPENED $d; done; ls /dev | tr '\\n' ' '";
  const text = await inside(script);
  assert.doesNotMatch(text, /OPENED/);
  assert.doesNotMatch(text, /vda|sda|kvm/);
});

test("isolation: kernel settings and sensitive files are masked or read-only", { skip }, async () => {
  const script =
    "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/kcore /sys/kernel/uevent_helper; do (echo x > $f) 2>/dev/null && echo WRITTEN $f; done; cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; ls /sys/firmware /proc/acpi 2>/dev/null | grep -v : | wc -w";
  assert.equal(await inside(script), "0\n0");
});

test("isolation: capabilities are Docker's fourteen, and mount is refused", { skip }, async () => {
  assert.match(await inside("grep CapEff /proc/self/status"), /00000000a80425fb$/);
  assert.equal(
    await inside("mount -t tmpfs x /tmp 2>/dev/null && echo MOUNTED; unshare -U true 2>/dev/null && echo USERNS; true"),
    "",
  );
});
