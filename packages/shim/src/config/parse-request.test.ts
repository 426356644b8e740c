// parseRequest: every request, and hostile lines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseRequest } from "./parse-request.ts";

const streams = { stdin: true, stdout: true, stderr: false };
const valid: readonly unknown[] = [
  { op: "state" },
  { op: "start" },
  { op: "wait" },
  { op: "pause" },
  { op: "resume" },
  { op: "signal", signal: 9, all: true },
  { op: "attach", ...streams, wait: true },
  { op: "exec", ...streams, detach: false, process: { args: ["ls"], terminal: true, anything: { else: 1 } } },
  { op: "resize", rows: 24, columns: 80 },
];

for (const request of valid) {
  test(`parseRequest: the same value for ${JSON.stringify(request)}`, () => {
    assert.deepEqual(parseRequest(JSON.stringify(request)), request);
  });
}

test("parseRequest: optional fields are false when absent", () => {
  assert.deepEqual(parseRequest('{"op":"signal","signal":15}'), { op: "signal", signal: 15, all: false });
  assert.deepEqual(parseRequest(JSON.stringify({ op: "attach", ...streams })), {
    op: "attach",
    ...streams,
    wait: false,
  });
});

const hostile: readonly string[] = [
  "",
  "null",
  "[]",
  '"state"',
  "{}",
  '{"op":"shutdown"}',
  '{"op":"__proto__"}',
  '{"op":"state","more":1}',
  '{"op":"state","op":"start"}',
  '{"op":"signal"}',
  '{"op":"signal","signal":0}',
  '{"op":"signal","signal":65}',
  '{"op":"signal","signal":-9}',
  '{"op":"signal","signal":"9"}',
  '{"op":"attach","stdin":1,"stdout":true,"stderr":true}',
  '{"op":"resize","rows":-1,"columns":80}',
  '{"op":"resize","rows":65536,"columns":80}',
  '{"op":"exec","stdin":true,"stdout":true,"stderr":true,"detach":false}',
  '{"op":"exec","stdin":true,"stdout":true,"stderr":true,"detach":false,"process":[]}',
  '{"op":"exec","stdin":true,"stdout":true,"stderr":true,"detach":false,"process":{"terminal":"yes"}}',
];

for (const line of hostile) {
  test(`parseRequest: invalid for ${JSON.stringify(line)}`, () => {
    assert.throws(
      () => parseRequest(line),
      (error) => isTeuError(error, "invalid"),
    );
  });
}
