import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_CAPABILITIES } from "./capabilities.ts";
import { defaultFilter } from "./seccomp.ts";
import { parseProfile, resolveProfile } from "./seccomp-profile.ts";
import { FACTS } from "./testdata/facts.ts";

function allowed(capabilities: readonly string[]): Set<string> {
  return new Set(
    (defaultFilter(capabilities, FACTS).syscalls ?? [])
      .filter((rule) => rule.action === "SCMP_ACT_ALLOW" && rule.args === undefined)
      .flatMap((rule) => rule.names),
  );
}

test("defaultFilter: what programs need is allowed, what reaches the kernel's or host's state is not", () => {
  const names = allowed(DEFAULT_CAPABILITIES);
  for (const name of [
    "read",
    "openat2",
    "execve",
    "futex",
    "epoll_pwait2",
    "io_submit",
    "ptrace",
    "chroot",
    "rseq",
    "clock_nanosleep",
  ])
    assert.ok(names.has(name), name);
  const refused = [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "bpf",
    "kexec_load",
    "init_module",
    "delete_module",
    "reboot",
    "swapon",
    "keyctl",
    "add_key",
    "request_key",
    "perf_event_open",
    "open_by_handle_at",
    "settimeofday",
    "clock_settime",
    "pivot_root",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "iopl",
    "acct",
    "clone",
    "clone3",
    "syslog",
    "move_pages",
    "nfsservctl",
  ];
  for (const name of refused) assert.ok(!names.has(name), name);
});

test("defaultFilter: clone may make processes but no namespaces, clone3 does not seem to exist, AF_VSOCK is closed", () => {
  const rules = defaultFilter(DEFAULT_CAPABILITIES, FACTS).syscalls ?? [];
  assert.deepEqual(rules.find((rule) => rule.names.includes("clone"))?.args, [
    { index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
  ]);
  assert.partialDeepStrictEqual(
    rules.find((rule) => rule.names.includes("clone3")),
    { action: "SCMP_ACT_ERRNO", errnoRet: 38 },
  );
  assert.deepEqual(rules.find((rule) => rule.names.includes("socket"))?.args, [
    { index: 0, value: 40, op: "SCMP_CMP_NE" },
  ]);
});

test("defaultFilter: capabilities open their own doors", () => {
  const admin = allowed(["CAP_SYS_ADMIN"]);
  for (const name of ["mount", "unshare", "clone", "clone3", "bpf"]) assert.ok(admin.has(name), name);
  assert.ok(allowed(["CAP_SYS_TIME"]).has("settimeofday"));
});

test("resolveProfile: conditions on capabilities, architecture and kernel", () => {
  const profile = JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
      { architecture: "SCMP_ARCH_AARCH64" },
    ],
    syscalls: [
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: null, includes: {}, excludes: {} },
      { names: ["mount"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_SYS_ADMIN"] } },
      { names: ["clone"], action: "SCMP_ACT_ALLOW", excludes: { caps: ["CAP_SYS_ADMIN"] } },
      { names: ["arm"], action: "SCMP_ACT_ALLOW", includes: { arches: ["arm64"] } },
      { names: ["s390"], action: "SCMP_ACT_ALLOW", excludes: { arches: ["amd64"] } },
      { names: ["new"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "9.0" } },
      { names: ["old"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" } },
      { name: "write", action: "SCMP_ACT_LOG" },
    ],
  });
  const names = (caps: string[]) => (resolveProfile(profile, caps, FACTS).syscalls ?? []).flatMap((rule) => rule.names);
  assert.deepEqual(names([]), ["read", "clone", "old", "write"]);
  assert.deepEqual(names(["CAP_SYS_ADMIN"]), ["read", "mount", "old", "write"]);
  assert.deepEqual(resolveProfile(profile, [], FACTS).architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
});

test("parseProfile: refuses what is not one", () => {
  for (const text of [
    "",
    "[]",
    "null",
    "{}",
    '{"defaultAction":1}',
    '{"defaultAction":"A","syscalls":{}}',
    '{"defaultAction":"A","syscalls":[{}]}',
    '{"defaultAction":"A","syscalls":[null]}',
  ]) {
    assert.throws(() => parseProfile(text), { code: "invalid" }, text);
  }
});
