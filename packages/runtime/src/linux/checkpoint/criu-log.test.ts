import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose, errorLines, quote } from "./criu-log.ts";

const ALL = Array.from({ length: 41 }, (_, index) => index);
const CAP_SYS_RESOURCE = 24;
const CAP_NET_ADMIN = 12;

test("errorLines: the first three errors, without times, each once, and not what CRIU says and goes on after", () => {
  const log = [
    "(00.000001) Version: 3.17.1 (gitid 0)",
    "(00.051730) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
    "(00.1) Warn  (criu/kerndat.c:1285): Can't keep kdat cache on non-tempfs",
    "(00.2) Error (criu/a.c:1): first",
    "(00.2)      7: Error (criu/a.c:2): second",
    "(00.3) Error (criu/a.c:1): first",
    "(00.3) Error (criu/a.c:3): third",
    "(00.3) Error (criu/a.c:4): fourth",
  ];
  assert.deepEqual(errorLines(log.join("\n")), [
    "Error (criu/a.c:1): first",
    "Error (criu/a.c:2): second",
    "Error (criu/a.c:3): third",
  ]);
});

// Lines as CRIU 3.17 and 4.1 write them.
const LINES: readonly (readonly [string, string, RegExp])[] = [
  ["Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds", "unsupported", /need CRIU 4\.1/],
  ["Error (criu/mem.c:61): Memory tracking: soft-dirty is off", "unsupported", /CONFIG_MEM_SOFT_DIRTY/],
  [
    "Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.",
    "conflict",
    /--tcp-established/,
  ],
  [
    "Error (criu/file-lock.c:110): Some file locks are hold by dumping tasks! You can try --file-locks to dump them.",
    "conflict",
    /--file-locks/,
  ],
  [
    "Error (criu/sk-unix.c:864): unix: External socket is used. Consider using --ext-unix-sk option.",
    "conflict",
    /--ext-unix-sk/,
  ],
  ["Error (criu/tty.c:1898): tty: Found dangling tty with sid 1 pgid 1 (pts) on peer fd 0.", "conflict", /--shell-job/],
  [
    "Error (criu/files-reg.c:1216): Can't create link remap for /tmp/x. Use link-remap option.",
    "conflict",
    /--link-remap/,
  ],
];
for (const [line, code, hint] of LINES) {
  test(`diagnose: ${code} for ${line}`, () => {
    const found = diagnose([line], ALL);
    assert.equal(found?.code, code);
    assert.match(found.hint, hint);
  });
}

test("diagnose: names the capability that is missing", () => {
  const without = (missing: number): number[] => ALL.filter((one) => one !== missing);
  const limits = ["Error (criu/cr-restore.c:9): Can't set rlimit NOFILE: Operation not permitted"];
  assert.deepEqual(diagnose(limits, without(CAP_SYS_RESOURCE)), {
    code: "denied",
    hint: "this process lacks CAP_SYS_RESOURCE",
  });
  const other = ["Error (criu/net.c:9): can't create link: Operation not permitted"];
  assert.equal(diagnose(other, without(CAP_NET_ADMIN))?.hint, "this process lacks CAP_NET_ADMIN");
  assert.match(diagnose(other, ALL)?.hint ?? "", /no capability .* is missing/);
});

test("diagnose: null for what it does not know", () => {
  assert.equal(diagnose(["Error (criu/x.c:1): Oops"], []), null);
  assert.equal(diagnose([], []), null);
});

test("quote: the kernel's texts, which callers look for, become names", () => {
  const text = quote(["Can't open x: No such file or directory", "y: Permission denied", "z: Operation not permitted"]);
  assert.equal(text, `"Can't open x: ENOENT", "y: EACCES", "z: EPERM"`);
});
