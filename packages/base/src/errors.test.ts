// Tests of the error class: its text, its way across process borders, what it must never show.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_CODES, TeuError, errorText, fromJson, isTeuError, scrubSecrets } from "./errors.ts";

test("TeuError: text names what was tried, on what, what is so and why", () => {
  const cause = new TeuError({ code: "denied", op: "open", subject: "/x", message: "permission denied" });
  const error = new TeuError({ code: "internal", op: "pull image", subject: 'a"b', message: "no manifest", cause });
  assert.equal(error.message, 'cannot pull image "a\\"b": no manifest: cannot open "/x": permission denied');
  assert.equal(errorText(error), error.message);
  assert.equal(new TeuError({ code: "internal", op: "x", message: "y" }).message, "cannot x: y");
});

test("toJSON, fromJson: same code, text, detail and hint when an error crosses a border", () => {
  const error = new TeuError({
    code: "conflict",
    op: "remove",
    subject: "c",
    message: "is running",
    detail: { status: "running" },
    hint: "stop it first",
    cause: new Error("because"),
  });
  const back = fromJson(JSON.parse(JSON.stringify(error)));
  assert.ok(isTeuError(back, "conflict"));
  assert.equal(back.message, error.message);
  assert.deepEqual(back.toJSON(), error.toJSON());
});

test("fromJson: internal when the JSON is not an error of ours", () => {
  for (const json of [null, 5, "x", [], {}, { code: "nope", message: 7 }]) {
    const error = fromJson(json);
    assert.equal(error.code, "internal");
    assert.ok(error.message.length > 0);
  }
});

test("isTeuError: by brand and code, not by class", () => {
  const foreign = Object.defineProperty(new Error("x"), Symbol.for("teu.error"), { value: true });
  assert.ok(isTeuError(foreign));
  assert.ok(!isTeuError(new Error("x")));
  assert.ok(!isTeuError(null));
  assert.ok(!isTeuError(new TeuError({ code: "timeout", op: "x", message: "y" }), "cancelled"));
});

test("ERROR_CODES: no code twice", () => {
  assert.equal(new Set(ERROR_CODES).size, ERROR_CODES.length);
});

const SECRETS: readonly [string, string][] = [
  ["https://user:pa%73s@host/x", "https://user:***@host/x"],
  ["Authorization: Bearer abcdefgh.ijkl-mn", "Authorization: Bearer ***"],
  ["authorization: basic dXNlcjpwYXNz", "authorization: basic ***"],
  ["GET /t?token=s3cret&x=1", "GET /t?token=***&x=1"],
  ["?X-Amz-Signature=00ff&password=hunter2", "?X-Amz-Signature=***&password=***"],
  ['{"token":"s3cret","refresh_token": "r3fresh"}', '{"token":"***","refresh_token": "***"}'],
  ["unexpected token: word", "unexpected token: word"],
  ["Basic authentication failed", "Basic authentication failed"],
  ["https://host/path and bearer of news", "https://host/path and bearer of news"],
  ["sha256:44136fa3", "sha256:44136fa3"],
];

for (const [text, want] of SECRETS) {
  test(`scrubSecrets: ${want}`, () => {
    assert.equal(scrubSecrets(text), want);
  });
}

test("TeuError: no secret in text, subject, message or JSON when one was given", () => {
  const error = new TeuError({
    code: "denied",
    op: "log in",
    subject: "https://u:hunter2@h",
    message: "token=hunter2",
    cause: new Error("Bearer hunter2hunter2"),
    detail: { url: "https://h/?token=hunter2" },
  });
  assert.ok(!`${error.message}${error.subject}${error.what}${JSON.stringify(error)}`.includes("hunter2"));
});

test("errorText: any thrown thing has a text", () => {
  assert.equal(errorText(new Error("a", { cause: new Error("b", { cause: "c" }) })), "a: b: c");
  assert.equal(errorText("plain"), "plain");
  assert.equal(errorText(undefined), "undefined");
});

test("errorText: ends when causes form a ring", () => {
  const a = new Error("a");
  a.cause = new Error("b", { cause: a });
  assert.match(errorText(a), /^a: b: /);
});

test("scrubSecrets: linear in hostile text", () => {
  const started = performance.now();
  for (const text of ["a".repeat(200_000), "a://".repeat(50_000), "Bearer ".repeat(30_000), '"token":"'.repeat(20_000)])
    assert.ok(scrubSecrets(text).length > 0);
  assert.ok(performance.now() - started < 60_000, "took more than a minute");
});
