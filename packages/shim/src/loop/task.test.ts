// Tasks: order, errors, tidying up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runTask, suspend } from "./task.ts";
import type { Settle, Task } from "./task.ts";
import { UndoStack } from "./undo-stack.ts";

function unexpected(value: unknown): void {
  assert.fail(`unexpected ${String(value)}`);
}

test("runTask: done at once when nothing waits", () => {
  const seen: unknown[] = [];
  runTask(
    suspend<number>((settle) => settle.resolve(7)),
    (value) => seen.push(value),
    unexpected,
  );
  assert.deepEqual(seen, [7]);
});

test("suspend: goes on when settled, only the first time counts", () => {
  const seen: unknown[] = [];
  let settle: Settle<string> | undefined;
  function* task(): Task<string> {
    seen.push("before");
    const value = yield* suspend<string>((given) => (settle = given));
    seen.push(value);
    return "end";
  }
  runTask(task(), (value) => seen.push(value), unexpected);
  settle?.resolve("first");
  settle?.resolve("second");
  settle?.reject(new Error("late"));
  assert.deepEqual(seen, ["before", "first", "end"]);
});

test("runTask: an error in a waiting task arrives after its finally", () => {
  const seen: unknown[] = [];
  let settle: Settle<void> | undefined;
  function* task(): Task<void> {
    try {
      yield* suspend<void>((given) => (settle = given));
    } finally {
      seen.push("finally");
    }
  }
  runTask(task(), unexpected, (error) => seen.push(error));
  settle?.reject("broken");
  assert.deepEqual(seen, ["finally", "broken"]);
});

test("UndoStack: last first, each once, whatever fails", () => {
  const seen: string[] = [];
  const stack = new UndoStack();
  stack.pushNow("one", () => void seen.push("1"));
  stack.pushNow("do two", () => {
    throw new Error("no");
  });
  stack.pushNow("three", () => void seen.push("3"));
  runTask(stack.run(), (failures) => seen.push(...failures), unexpected);
  runTask(stack.run(), (failures) => seen.push(...failures), unexpected);
  assert.deepEqual(seen, ["3", "1", "cannot do two: no"]);
});
