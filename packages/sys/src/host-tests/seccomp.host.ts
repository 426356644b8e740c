// sys:seccomp for real: compiling, loading into a copy, what is unknown, what is refused. Loading needs no root after no_new_privs.
// portable: runs in the host.

import { realKernel } from "../real.ts";
import { assert } from "../test-host/assert.ts";
import { test } from "../test-host/test.ts";
import { inChild, sysErrorOf } from "./scratch.ts";

const { fs, process, seccomp } = realKernel;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const KILL_PROCESS = 0x80000000;
const NOTIFY = 0x7fc00000;
const PR_SET_NO_NEW_PRIVS = 38;
const EQUAL = 4;

const filterOf = (
  rules: Parameters<typeof seccomp.compile>[0]["rules"],
  architectures: string[] = [],
): Parameters<typeof seccomp.compile>[0] => ({ defaultAction: ALLOW, architectures, rules });

test("compile: whole instructions; unknown names are told once and left out", () => {
  const { program, unknown } = seccomp.compile(
    filterOf([
      { syscall: "mkdirat", action: ERRNO | 1, args: [] },
      { syscall: "no_such_call", action: ERRNO | 1, args: [] },
      { syscall: "no_such_call", action: ERRNO | 2, args: [] },
    ]),
  );
  assert.ok(program.length >= 40 && program.length % 8 === 0);
  assert.deepEqual(unknown, ["no_such_call"]);
});

test("compile: several architectures, the default action as a rule, 64-bit arguments", () => {
  const rule = {
    syscall: "personality",
    action: ERRNO | 1,
    args: [{ index: 0, op: EQUAL, value: 0xffff_ffff_ffff_ffffn, valueTwo: 0n }],
  };
  const one = seccomp.compile(filterOf([rule, { syscall: "read", action: ALLOW, args: [] }]));
  const three = seccomp.compile(filterOf([rule], ["x86_64", "x86", "x32"]));
  assert.ok(three.program.length > one.program.length);
  assert.deepEqual(three.unknown, []);
});

test("compile: what is wrong is said", () => {
  const rule = { syscall: "read", action: ERRNO, args: [] };
  const bad = (value: unknown): never => value as never;
  const cases: readonly [string, () => unknown, Readonly<Record<string, unknown>>][] = [
    [
      "architecture",
      () => seccomp.compile(filterOf([rule], ["pdp11"])),
      { errno: "EINVAL", call: "seccomp_arch_add", subject: "pdp11" },
    ],
    [
      "default action",
      () => seccomp.compile({ defaultAction: 0x1234_0000, architectures: [], rules: [] }),
      { errno: "EINVAL", call: "seccomp_init" },
    ],
    [
      "argument index",
      () => seccomp.compile(filterOf([{ ...rule, args: [{ index: 6, op: EQUAL, value: 0n, valueTwo: 0n }] }])),
      { errno: "EINVAL" },
    ],
    [
      "number for bigint",
      () => seccomp.compile(filterOf([{ ...rule, args: [{ index: 0, op: EQUAL, value: bad(1), valueTwo: 0n }] }])),
      { name: "TypeError" },
    ],
    [
      "no rules",
      () => seccomp.compile(bad({ defaultAction: ALLOW, architectures: [] })),
      { name: "TypeError", message: /field "rules"/ },
    ],
    ["not whole", () => seccomp.load(new Uint8Array(7), 0), { errno: "EINVAL", call: "seccomp" }],
  ];
  for (const [name, body, want] of cases) assert.throws(body, want, name);
});

test("load: the filter is in force, arguments compared", () => {
  const { program } = seccomp.compile(
    filterOf([
      { syscall: "sethostname", action: ERRNO | 78, args: [] },
      { syscall: "umask", action: ERRNO | 5, args: [{ index: 0, op: EQUAL, value: 0o77n, valueTwo: 0n }] },
      { syscall: "getppid", action: KILL_PROCESS, args: [] },
    ]),
  );
  const status = inChild(() => {
    process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    assert.equal(seccomp.load(program, 0), -1);
    assert.equal(sysErrorOf(() => process.sethostname("x")).errno, "EREMCHG");
    process.umask(0o22);
    process.getppid();
  });
  assert.deepEqual(status, { kind: "signaled", code: 31 });
});

test("load: a listener for notifications", () => {
  const { program } = seccomp.compile(filterOf([{ syscall: "sethostname", action: NOTIFY, args: [] }]));
  const status = inChild(() => {
    process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const fd = seccomp.load(program, 8);
    assert.ok(fd > 2);
    fs.close(fd);
    // Nobody listens any more: ENOSYS.
    assert.equal(sysErrorOf(() => process.sethostname("x")).errno, "ENOSYS");
  });
  assert.equal(status.code, 0);
});

test("what the kernel and the library know", () => {
  assert.ok(seccomp.actionAvailable(KILL_PROCESS));
  assert.equal(seccomp.actionAvailable(0x1234_0000), false);
  assert.match(seccomp.libraryVersion(), /^2\.\d+\.\d+$/);
  assert.equal(typeof seccomp.syscallNumber("openat2"), "number");
  assert.equal(seccomp.syscallNumber("no_such_call"), null);
});
