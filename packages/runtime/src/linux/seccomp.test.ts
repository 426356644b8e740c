import assert from "node:assert/strict";
import { test } from "node:test";
import { SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_CMP_EQ } from "@teu/sys/constants/seccomp";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { prepareSeccomp, seccompFilter } from "./seccomp.ts";

test("seccompFilter: rules that repeat the default are left out, errno is in the action", () => {
  const { defaultAction, rules, architectures } = seccompFilter({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [
      { names: ["read"], action: "SCMP_ACT_ALLOW" },
      { names: ["swapon"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ],
  });
  assert.equal(defaultAction, SCMP_ACT_ERRNO | 38);
  assert.deepEqual(rules, [{ syscall: "read", action: SCMP_ACT_ALLOW, args: [] }]);
  assert.deepEqual(architectures, ["x86_64", "x86"]);
});

test("seccompFilter: two comparisons of one argument become two rules", () => {
  const arg = (value: number) => ({ index: 0, value, op: "SCMP_CMP_EQ" }) as const;
  const { rules } = seccompFilter({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["personality"], action: "SCMP_ACT_ALLOW", args: [arg(0), arg(8)] }],
  });
  assert.deepEqual(
    rules.map(({ args }) => args.map(({ op, value }) => [op, value])),
    [[[SCMP_CMP_EQ, 0n]], [[SCMP_CMP_EQ, 8n]]],
  );
});

test("prepareSeccomp: compiled once, then from the cache", () => {
  const fake = createFakeKernel();
  fake.makeDirectory("/root");
  let compiled = 0;
  const compile: Kernel["seccomp"]["compile"] = (filter) => {
    compiled++;
    return fake.kernel.seccomp.compile(filter);
  };
  const kernel: Kernel = { ...fake.kernel, seccomp: { ...fake.kernel.seccomp, compile } };
  const seccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW" }],
  } as const;
  const first = prepareSeccomp(kernel, "/root", seccomp);
  assert.deepEqual(prepareSeccomp(kernel, "/root", seccomp).program, first.program);
  assert.equal(compiled, 1);
  prepareSeccomp(kernel, "/root", { ...seccomp, defaultErrnoRet: 5 });
  assert.equal(compiled, 2, "another profile");
});

test("prepareSeccomp: invalid for unknown flags and a listener that is missing", () => {
  const { kernel } = createFakeKernel();
  assert.throws(() => prepareSeccomp(kernel, "/", { defaultAction: "SCMP_ACT_ALLOW", flags: ["NOPE"] }), {
    code: "invalid",
  });
  assert.throws(
    () =>
      prepareSeccomp(kernel, "/", {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["open"], action: "SCMP_ACT_NOTIFY" }],
      }),
    { code: "invalid" },
  );
});

for (const [name, more, subject] of [
  [
    "an errno for an action without one",
    { syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL", errnoRet: 1 }] },
    "linux.seccomp.syscalls[0].errnoRet",
  ],
  ["a default errno for an action without one", { defaultErrnoRet: 1 }, "linux.seccomp.defaultErrnoRet"],
  ["metadata without a listener", { listenerMetadata: "m" }, "linux.seccomp.listenerMetadata"],
] as const)
  test(`prepareSeccomp: invalid for ${name}`, () => {
    const { kernel } = createFakeKernel();
    assert.throws(() => prepareSeccomp(kernel, "/run", { defaultAction: "SCMP_ACT_ALLOW", ...more }), {
      code: "invalid",
      subject,
    });
  });

test("prepareSeccomp: a flag about waiting is left out when there is nobody to wait for", () => {
  const { kernel, makeDirectory } = createFakeKernel();
  makeDirectory("/run");
  const flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"] as const;
  assert.equal(prepareSeccomp(kernel, "/run", { defaultAction: "SCMP_ACT_ALLOW", flags }).flags, 2);
});
