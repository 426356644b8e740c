import assert from "node:assert/strict";
import { test } from "node:test";
import { sysError } from "@teu/sys/sys-error";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function running(cgroups?: readonly string[]): FakeHost {
  const host = fakeHost(cgroups === undefined ? {} : { cgroups });
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  return host;
}

/** Writes of an update, in order, as "file=value"; `refuse` may throw as the kernel would. */
function written(
  host: FakeHost,
  words: readonly string[],
  refuse: (file: string, done: readonly string[]) => boolean = () => false,
): string[] {
  const done: string[] = [];
  const names = new Map<number, string>();
  const { kernel } = host;
  const fs: typeof kernel.fs = {
    ...kernel.fs,
    openat: (dirfd, path, flags, mode) => {
      const fd = kernel.fs.openat(dirfd, path, flags, mode);
      names.set(fd, path.slice(path.lastIndexOf("/") + 1));
      return fd;
    },
    write: (fd, data) => {
      const file = names.get(fd) ?? "";
      if (refuse(file, done)) throw sysError("EINVAL", "write", file);
      done.push(`${file}=${String(data)}`);
      return kernel.fs.write(fd, data);
    },
  };
  const outcome = host.run(["update", ...words, "c1"], { ...kernel, fs });
  return outcome.code === 0 ? done : [outcome.err];
}

test("update: no memory limit lifts that of memory plus swap first", () => {
  assert.deepEqual(written(running(), ["--memory", "-1"]), [
    "memory.memsw.limit_in_bytes=-1",
    "memory.limit_in_bytes=-1",
  ]);
  assert.deepEqual(written(running([""]), ["--memory", "-1"]), ["memory.swap.max=max", "memory.max=max"]);
});

test("update: a raise of memory begins with memory plus swap, a cut ends with it", () => {
  const host = running();
  host.writeFileInCgroup("memory/c1/memory.limit_in_bytes", "1000");
  assert.deepEqual(written(host, ["--memory", "2000", "--memory-swap", "4000"]), [
    "memory.memsw.limit_in_bytes=4000",
    "memory.limit_in_bytes=2000",
  ]);
  assert.deepEqual(written(host, ["--memory", "500", "--memory-swap", "600"]), [
    "memory.limit_in_bytes=500",
    "memory.memsw.limit_in_bytes=600",
  ]);
});

test("update: a period that the kernel takes only after the quota is tried again", () => {
  const refuse = (file: string, done: readonly string[]): boolean =>
    file === "cpu.cfs_period_us" && !done.some((one) => one.startsWith("cpu.cfs_quota_us"));
  assert.deepEqual(written(running(), ["--cpu-period", "1000", "--cpu-quota", "500"], refuse), [
    "cpu.cfs_quota_us=500",
    "cpu.cfs_period_us=1000",
  ]);
});

test("update: the first refusal is told when it stays one", () => {
  const [text] = written(running(), ["--cpu-period", "1"], () => true);
  assert.match(text ?? "", /cpu.cfs_period_us/);
});

test("update: -r - reads standard input", () => {
  const host = running();
  const { kernel } = host;
  let asked = 0;
  const read: typeof kernel.fs.read = (fd, count) => {
    if (fd !== 0) return kernel.fs.read(fd, count);
    return asked++ === 0 ? kernel.host.utf8Encode('{"pids":{"limit":7}}') : new Uint8Array(0);
  };
  assert.deepEqual(host.run(["update", "-r", "-", "c1"], { ...kernel, fs: { ...kernel.fs, read } }), {
    code: 0,
    out: "",
    err: "",
  });
  assert.equal(kernel.fs.readTextAt(-100, "/sys/fs/cgroup/pids/c1/pids.max", 10), "7");
});

for (const flag of ["--l3-cache-schema", "--mem-bw-schema"]) {
  test(`update: ${flag} is refused, not ignored, for a container without a group of resctrl`, () =>
    assert.match(
      running().run(["update", flag, "L3:0=f", "c1"]).err,
      /Intel RDT.*no class of service.*linux.intelRdt/,
    ));
}

test("update: kernel memory is taken, warned of and has no effect, like runc's", () => {
  assert.deepEqual(written(running(), ["--kernel-memory", "100", "--kernel-memory-tcp", "5"]), []);
  const host = running();
  assert.match(
    host.run(["update", "--kernel-memory-tcp", "5", "c1"]).err,
    /^[^\n]*level=warning msg="Setting --kernel-memory-tcp is ignored and will be removed"$/,
  );
  host.writeFile("/r.json", '{"memory":{"kernel":1,"useHierarchy":true}}');
  assert.match(
    host.run(["update", "-r", "/r.json", "c1"]).err,
    /Kernel memory settings are ignored and will be removed/,
  );
});

test("update: conflict when stopped", () => {
  const host = running();
  host.run(["kill", "c1", "9"]);
  assert.match(host.run(["update", "--memory", "1", "c1"]).err, /container not running/);
});
