// Tests of config.json reading: goldens in testdata/runtime, messages, survival of unknown members.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { parseProcess, parseResources, parseSpec, parseState } from "./runtime-parse.ts";

const TESTDATA = new URL("../testdata/runtime/", import.meta.url);

const REFUSED: Readonly<Record<string, string>> = {
  "args-number.json": "cannot read config.json: /process/args/0 must be string, is 5",
  "version-2.json": 'cannot read config.json: /ociVersion must match ^1\\., is "2.0.0"',
  "no-version.json": 'cannot read config.json: it must have "ociVersion"',
  "namespace-unknown.json":
    'cannot read config.json: /linux/namespaces/0/type must be one of "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time", is "gpu"',
  "memory-fraction.json": "cannot read config.json: /linux/resources/memory/limit must be integer, is 1.5",
  "duplicate-name.json": 'cannot read config.json: duplicate name "cwd" at line 1, column 44',
  "hook-relative.json": 'cannot read config.json: /hooks/poststop/0/path must match ^\\/, is "relative"',
  "root-empty.json": 'cannot read config.json: /root/path must not be empty, is ""',
  "not-json.json": 'cannot read config.json: want a value, found "}" at line 2, column 10',
};

for (const file of readdirSync(new URL("valid/", TESTDATA))) {
  test(`parseSpec: same document, unknown members included, when given ${file}`, () => {
    const text = readFileSync(new URL(`valid/${file}`, TESTDATA), "utf8");
    assert.deepEqual(parseSpec(text), JSON.parse(text));
  });
}

test("parseSpec: every invalid golden has its message here", () => {
  assert.deepEqual(readdirSync(new URL("invalid/", TESTDATA)).sort(), Object.keys(REFUSED).sort());
});

for (const [file, message] of Object.entries(REFUSED)) {
  test(`parseSpec: invalid when given ${file}`, () => {
    const text = readFileSync(new URL(`invalid/${file}`, TESTDATA), "utf8");
    assert.throws(() => parseSpec(text), { name: "TeuError", code: "invalid", message });
  });
}

test("parseSpec: the detail has path and value when a member is wrong", () => {
  assert.throws(() => parseSpec('{"ociVersion":"1.0.0","process":{"cwd":7}}'), {
    detail: { path: "/process/cwd", value: 7 },
  });
});

test("parseSpec: a long value is cut in the message when it is wrong", () => {
  const text = JSON.stringify({ ociVersion: "1.0.0", mounts: "x".repeat(10_000) });
  assert.throws(
    () => parseSpec(text),
    (error: Error) => error.message.length < 200 && error.message.endsWith("..."),
  );
});

test("parseSpec: any 1.x version is taken", () => {
  for (const ociVersion of ["1.0.0-rc1", "1.0.2-dev", "1.3.0", "1.99.0"]) {
    assert.equal(parseSpec(JSON.stringify({ ociVersion })).ociVersion, ociVersion);
  }
});

test("parseProcess, parseResources, parseState: name their document when refusing", () => {
  assert.throws(() => parseProcess('{"args":[]}'), { message: 'cannot read process: it must have "cwd"' });
  assert.throws(() => parseResources('{"pids":{"limit":"9"}}'), {
    message: 'cannot read resources: /pids/limit must be integer, is "9"',
  });
  assert.throws(() => parseState('{"ociVersion":"1.0.0","id":"a","status":"gone","bundle":"/"}'), {
    message:
      'cannot read state: /status must be one of "creating", "created", "running", "stopped", "paused", is "gone"',
  });
});
