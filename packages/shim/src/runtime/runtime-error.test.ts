// runtimeError: from what runc and crun say to what a user is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCodeOf, lastLogError, runtimeError } from "./runtime-error.ts";

const line = (level: string, msg: string): string => JSON.stringify({ level, msg, time: "2026-01-01T00:00:00Z" });

test("lastLogError: the last error of a log with other lines and text in it", () => {
  const log = `${line("warning", "w")}\n${line("error", "first")}\nplain text\n${line("error", "last")}\n${line("info", "i")}\n`;
  assert.equal(lastLogError(log), "last");
});

for (const log of ["", "\n\n", "not json", '{"level":"error"}', "null", '{"level":"error","msg":5}', "[]"]) {
  test(`lastLogError: nothing in ${JSON.stringify(log)}`, () => assert.equal(lastLogError(log), undefined));
}

for (const [message, want] of [
  ['exec: "/nope": stat /nope: no such file or directory', 127],
  ['exec: "nope": executable file not found in $PATH', 127],
  ["open x: Permission denied", 126],
  ['exec: "/etc": is a directory', 126],
  ["/etc/passwd/x: not a directory", 127],
  ["cgroup: device busy", 128],
] as const) {
  test(`exitCodeOf: ${want} for ${message}`, () => assert.equal(exitCodeOf(message), want));
}

test("runtimeError: the log's words, Docker's exit code", () => {
  const error = runtimeError("create", "c".repeat(64), {
    code: 1,
    output: "noise\n",
    log: line("error", 'exec: "x": executable file not found in $PATH'),
  });
  assert.equal(error.code, "invalid");
  assert.equal(error.what, 'exec: "x": executable file not found in $PATH');
  assert.deepEqual(error.detail, { exitCode: 127, status: 1 });
});

test("runtimeError: what was tried is said once, and not in the name of another runtime", () => {
  for (const before of ["runc create failed", "runc run failed", "exec failed"]) {
    const log = line("error", `${before}: unable to start container process: exec: "x": permission denied`);
    assert.equal(runtimeError("create", "c", { code: 1, output: "", log }).what, 'exec: "x": permission denied');
  }
});

test("runtimeError: the last line of the output when there is no log", () => {
  assert.equal(runtimeError("start", "c", { code: 3, output: "one\ntwo\n", log: "" }).what, "two");
  assert.match(runtimeError("start", "c", { code: 3, output: "", log: "" }).what, /status 3 and said nothing/);
});

for (const [verb, output, want] of [
  ["kill", "os: process already finished", "not-found"],
  ["kill", "container not running", "not-found"],
  ["kill", "No such process", "not-found"],
  ["delete", 'container "x" does not exist', "not-found"],
  ["exec", "cannot exec in a stopped container", "conflict"],
  ["resume", "container not paused", "conflict"],
  ["pause", "freezer: timeout", "internal"],
] as const) {
  test(`runtimeError: ${want} when ${verb} says ${output}`, () =>
    assert.equal(runtimeError(verb, "c", { code: 1, output, log: "" }).code, want));
}
