import assert from "node:assert/strict";
import { test } from "node:test";
import type { Features } from "@teu/specs/runtime-features";
import { sysError } from "@teu/sys/sys-error";
import { fakeHost } from "../testing/fake-host.ts";

const report = (text: string): Features => JSON.parse(text) as Features;

test("features: JSON alone, with what CRI-O, containerd and dockerd look at", () => {
  const { code, out, err } = fakeHost().run(["features"]);
  assert.deepEqual([code, err], [0, ""]);
  const { ociVersionMin, ociVersionMax, mountOptions, linux, potentiallyUnsafeConfigAnnotations } = report(out);
  assert.match(`${ociVersionMin} ${ociVersionMax}`, /^1\.0\.0 1\.3\.\d+$/);
  for (const name of ["rro", "rbind", "tmpcopyup", "idmap", "ridmap"]) assert.ok(mountOptions?.includes(name), name);
  assert.ok(linux?.namespaces?.includes("user"));
  assert.equal(typeof linux?.mountExtensions?.idmap?.enabled, "boolean");
  assert.deepEqual(potentiallyUnsafeConfigAnnotations, ["run.oci."]);
  assert.deepEqual([linux?.cgroup?.systemd, linux?.cgroup?.rdma], [true, true]);
});

test("features: only architectures that libseccomp knows, and flags that the kernel has", () => {
  const host = fakeHost();
  const { kernel } = host;
  const compile: typeof kernel.seccomp.compile = (filter) => {
    if (filter.architectures.includes("loongarch64")) throw sysError("EINVAL", "seccomp_arch_add", "loongarch64");
    return kernel.seccomp.compile(filter);
  };
  const seccomp = (release: string): NonNullable<Features["linux"]>["seccomp"] => {
    const uname = (): ReturnType<typeof kernel.process.uname> => ({ ...kernel.process.uname(), release });
    const process = { ...kernel.process, uname };
    return report(host.run(["features"], { ...kernel, process, seccomp: { ...kernel.seccomp, compile } }).out).linux
      ?.seccomp;
  };
  const flag = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
  const old = seccomp("5.15.0-91-generic");
  assert.ok(old?.archs?.includes("SCMP_ARCH_X86_64"));
  assert.ok(!old?.archs?.includes("SCMP_ARCH_LOONGARCH64"));
  assert.ok(old?.knownFlags?.includes(flag));
  assert.ok(!old?.supportedFlags?.includes(flag));
  assert.ok(seccomp("6.1.0-13-amd64")?.supportedFlags?.includes(flag));
});
