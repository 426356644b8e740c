import assert from "node:assert/strict";
import { test } from "node:test";
import { TeuError } from "@teu/base/errors";
import { unsupportedFlag } from "../grammar/usage-error.ts";
import { exitCodeOf, printError } from "./print-error.ts";

function printed(error: unknown, debug = false): string {
  let text = "";
  printError({ write: (part) => (text += part) }, error, debug);
  return text;
}

test("printError: one line and a hint", () => {
  const error = new TeuError({
    code: "not-found",
    op: "pull image",
    subject: "x",
    message: "no such\nimage",
    hint: "check the name",
    cause: new Error("404"),
  });
  assert.equal(printed(error), 'teu: cannot pull image "x": no such image: 404\nhint: check the name\n');
});

test("printError: the last lines of a failed step", () => {
  const error = new TeuError({
    code: "invalid",
    op: "build",
    subject: "Dockerfile:2",
    message: "RUN x: exit code 1",
    detail: { tail: ["a", "b"] },
  });
  assert.equal(printed(error), 'teu: cannot build "Dockerfile:2": RUN x: exit code 1\n  | a\n  | b\n');
});

test("printError: the chain of causes when debugging", () => {
  const inner = new TeuError({ code: "denied", op: "open", subject: "/x", message: "permission denied" });
  const text = printed(new TeuError({ code: "internal", op: "start", message: "no", cause: inner }), true);
  assert.match(text, /error: internal: start: no\n[\s\S]*caused by: denied: open "\/x": permission denied\n/);
});

test("exitCodeOf: Docker's codes", () => {
  const of = (detail: Record<string, unknown>) => new TeuError({ code: "invalid", op: "x", message: "y", detail });
  assert.equal(exitCodeOf(unsupportedFlag("x"), 1), 125);
  assert.equal(exitCodeOf(of({ exitCode: 127 }), 125), 127);
  assert.equal(exitCodeOf(of({ exitCode: 127 }), 1), 1);
  assert.equal(exitCodeOf(of({}), 125), 125);
  assert.equal(exitCodeOf(new Error("x"), 1), 1);
});

test("printError: the first failure leads, and its exit code counts, when undoing failed too", () => {
  const first = new TeuError({ code: "invalid", op: "build", message: "RUN x: exit code 1", detail: { usage: true } });
  const undo = new TeuError({ code: "exhausted", op: "remove container", subject: "c", message: "no space left" });
  const error = new SuppressedError(new Error("close"), new SuppressedError(undo, first));
  assert.equal(
    printed(error),
    'teu: RUN x: exit code 1\nteu: and while that was undone:\nteu: cannot remove container "c": no space left\n' +
      "teu: and while that was undone:\nteu: internal error: close\n",
  );
  assert.equal(exitCodeOf(error, 1), 125);
});

test("printError: an object for each failure where JSON was asked for", () => {
  const error = new TeuError({ code: "denied", op: "push", subject: "x", message: "no", hint: "log in" });
  let text = "";
  const stream = { write: (part: string) => (text += part) };
  printError(stream, new SuppressedError(new Error("later"), error, ""), false, true);
  assert.deepEqual(
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
    [
      { code: "denied", op: "push", subject: "x", message: "no", hint: "log in" },
      { code: "internal", op: "run command", message: "later" },
    ],
  );
});
