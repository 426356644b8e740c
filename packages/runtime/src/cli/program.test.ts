import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";
import { COMMANDS } from "./commands.ts";
import { runProgram } from "./program.ts";

for (const flag of ["--version", "-v", "-V"]) {
  test(`runProgram: ${flag} is three words that begin with runc, then commit and spec`, () => {
    const lines = fakeHost().run([flag]).out.split("\n");
    assert.match(lines[0] ?? "", /^runc version \S+$/);
    assert.match(lines[1] ?? "", /^commit: /);
    assert.match(lines[2] ?? "", /^spec: 1\.3\.\d+$/);
  });
}

for (const flag of ["--help", "-h", "-?", "-help"]) {
  test(`runProgram: ${flag} lists every command, exit status 0`, () => {
    const outcome = fakeHost().run([flag]);
    assert.equal(outcome.code, 0);
    for (const { name } of COMMANDS) assert.match(outcome.out, new RegExp(`^ +${name} `, "m"));
  });
}

test("runProgram: --usage shows the global flags", () => {
  assert.match(fakeHost().run(["--usage"]).out, /^Usage: teu-runtime \[--debug\] \[--log=VALUE\].* COMMAND/);
});

for (const { name } of COMMANDS) {
  test(`runProgram: ${name} --help is exit status 0, as podman asks before checkpoint`, () => {
    const outcome = fakeHost().run([name, "--help"]);
    assert.deepEqual([outcome.code, outcome.err], [0, ""]);
  });
}

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [["--root", "/", "list"], /--root must not be/],
  [["--rootless", "maybe", "list"], /invalid --rootless "maybe"/],
  [["--cgroup-manager", "nobody", "list"], /unknown cgroup manager "nobody"/],
  [["state"], /"state" requires exactly 1 argument\(s\), but has 0/],
  [["kill", "a", "b", "c"], /"kill" requires 1 to 2 argument\(s\), but has 3/],
];
for (const [words, text] of REFUSED) {
  test(`runProgram: exit status 1 for ${words.join(" ")}`, () => {
    const outcome = fakeHost().run(words);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err.replaceAll('\\"', '"'), text);
  });
}

test("runProgram: exit status 3 for an unknown command", () => {
  assert.equal(fakeHost().run(["dance"]).code, 3);
});

for (const [name, env, uidMap, want] of [
  ["root", ["XDG_RUNTIME_DIR=/run/user/0", "USER=root"], "0 0 4294967295", "/run/teu/runtime/c1"],
  ["root of a user's namespace", ["XDG_RUNTIME_DIR=/run/user/7", "USER=ann"], "0 7 1", "/run/user/7/teu/runtime/c1"],
  [
    "sudo that keeps the environment",
    ["XDG_RUNTIME_DIR=/run/user/7", "USER=ann"],
    "0 0 4294967295",
    "/run/teu/runtime/c1",
  ],
] as const) {
  test(`runProgram: the default root of ${name} is ${want}`, () => {
    const host = fakeHost({ env });
    host.makeDirectory("/run/user/7");
    host.kernel.fs.writeTextAt(-100, "/proc/self/uid_map", uidMap);
    assert.equal(runProgram(host.kernel, ["create", "-b", "/bundle", "c1"], COMMANDS), 0);
    assert.ok(host.exists(want));
    if (want.startsWith("/run/user"))
      assert.equal(host.kernel.fs.statAt(-100, "/run/user/7/teu/runtime", 0).mode & 0o7777, 0o1700);
  });
}

test("runProgram: --cgroup-manager disabled makes no cgroup, and refuses limits instead of ignoring them", () => {
  const host = fakeHost();
  assert.equal(host.run(["--cgroup-manager", "disabled", "run", "-d", "-b", "/bundle", "c1"]).code, 0);
  assert.deepEqual(host.leaks().cgroups, []);
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, resources: { pids: { limit: 5 } } } }));
  assert.match(
    host.run(["--cgroup-manager=disabled", "create", "-b", "/bundle", "c2"]).err,
    /pids.max cannot be set: the container has no cgroup/,
  );
});
