import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

test("log: the error is on stderr also when the log file cannot be opened, which is said", () => {
  const outcome = fakeHost().run(["--log", "/nowhere/log", "state", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /container does not exist/);
  assert.match(outcome.err, /\/nowhere\/log.*ENOENT/);
});

test("log: JSON line with level, msg and RFC 3339 time in the file, bare message on stderr", () => {
  const host = fakeHost();
  const outcome = host.run(["--log", "/run/log.json", "--log-format", "json", "state", "c1"]);
  const line = JSON.parse(host.kernel.fs.readTextAt(-100, "/run/log.json", 1000)) as Record<string, string>;
  assert.equal(line["level"], "error");
  assert.equal(line["msg"], "container does not exist");
  assert.match(line["time"] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(outcome.err, "container does not exist");
});

const LEVELS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [[], ["warning"]],
  [["--log-level", "error"], []],
  [["--log-level", "warning"], ["warning"]],
  [
    ["--log-level", "debug"],
    ["debug", "warning", "debug"],
  ],
  [["--debug"], ["debug", "warning", "debug"]],
  [
    ["--debug", "--log-level", "error"],
    ["debug", "warning", "debug"],
  ],
];
for (const [words, want] of LEVELS) {
  test(`log: ${want.length} lines with ${words.join(" ") || "nothing said"}`, () => {
    const host = fakeHost({ programs: new Map([["/usr/bin/failing-hook", 1]]) });
    host.configure((spec) => ({ ...spec, hooks: { poststop: [{ path: "/usr/bin/failing-hook" }] } }));
    host.run(["create", "-b", "/bundle", "c1"]);
    host.run(["kill", "c1", "9"]);
    host.writeFile("/run/log", "");
    host.run([...words, "--log", "file:/run/log", "--log-format", "json", "delete", "c1"]);
    const lines = host.kernel.fs.readTextAt(-100, "/run/log", 10_000).trim().split("\n");
    const levels = lines
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { readonly level: string }).level);
    assert.deepEqual(levels, want);
  });
}

test("log: journald and syslog get the message, its priority and the identifier", () => {
  const host = fakeHost({ listeners: ["/run/systemd/journal/socket", "/dev/log"] });
  const sent = (path: string): string =>
    host.kernel.host.utf8Decode(host.sent.get(path)?.[0]?.data ?? new Uint8Array(0));
  assert.equal(host.run(["--log", "journald:box", "state", "c1"]).err, "container does not exist");
  assert.equal(
    sent("/run/systemd/journal/socket"),
    "MESSAGE=container does not exist\nPRIORITY=3\nSYSLOG_IDENTIFIER=box\n",
  );
  host.run(["--log", "syslog:box", "state", "c1"]);
  assert.equal(sent("/dev/log"), "<11>box: container does not exist");
});

test("log: a journal that is not there is told, and so is the error", () => {
  const { err } = fakeHost().run(["--log", "journald:box", "state", "c1"]);
  assert.match(err, /^container does not exist\ncannot write the log "journald:box": .*ECONNREFUSED/);
});

for (const words of [
  ["--log-format", "xml"],
  ["--log-level", "loud"],
]) {
  test(`log: invalid for ${words.join(" ")}`, () => {
    const outcome = fakeHost().run([...words, "state", "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, /cannot open log/);
  });
}
