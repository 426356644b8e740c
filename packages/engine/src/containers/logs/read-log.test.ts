import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";

import type { LogsOptions } from "../containers.ts";
import { readLog } from "./read-log.ts";

const never = () => new Promise<void>(() => {});

function place(): Disposable & { log: string } {
  const directory = mkdtempSync(join(tmpdir(), "teu-log-"));
  return {
    log: join(directory, "container.log"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function line(number: number, stream = "stdout"): string {
  const time = new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString().replace("Z", "500000Z");
  return `${JSON.stringify({ log: `${number}\n`, stream, time })}\n`;
}

async function numbers(log: string, options: LogsOptions): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of readLog(createScope(), log, options, never)) found.push(Number(entry.text));
  return found;
}

test("readLog: rotated files oldest first, tail across them", async () => {
  using at = place();
  writeFileSync(`${at.log}.2`, line(1) + line(2));
  writeFileSync(`${at.log}.1`, line(3) + line(4));
  writeFileSync(at.log, line(5, "stderr"));
  const cases: { options: LogsOptions; want: number[] }[] = [
    { options: {}, want: [1, 2, 3, 4, 5] },
    { options: { tail: 0 }, want: [] },
    { options: { tail: 1 }, want: [5] },
    { options: { tail: 2 }, want: [4, 5] },
    { options: { tail: 3 }, want: [3, 4, 5] },
    { options: { tail: 4 }, want: [2, 3, 4, 5] },
    { options: { tail: 99 }, want: [1, 2, 3, 4, 5] },
    { options: { stderr: false }, want: [1, 2, 3, 4] },
    { options: { stdout: false }, want: [5] },
    { options: { since: Date.UTC(2026, 0, 1) + 3000.5 }, want: [3, 4, 5] },
    { options: { since: Date.UTC(2026, 0, 1) + 3000.6 }, want: [4, 5] },
    { options: { until: Date.UTC(2026, 0, 1) + 2500 }, want: [1, 2] },
  ];
  for (const { options, want } of cases)
    assert.deepEqual(await numbers(at.log, options), want, JSON.stringify(options));
});

test("readLog: tail of a long file, lines across chunk borders", async () => {
  using at = place();
  const pad = "x".repeat(3000);
  const long = (number: number) =>
    `${JSON.stringify({ log: `${number} ${pad}`, stream: "stdout", time: "2026-01-01T00:00:00Z" })}\n`;
  writeFileSync(at.log, Array.from({ length: 500 }, (_, number) => long(number)).join(""));
  const found: number[] = [];
  for await (const entry of readLog(createScope(), at.log, { tail: 200 }, never))
    found.push(Number(entry.text.split(" ")[0]));
  assert.deepEqual(
    found,
    Array.from({ length: 200 }, (_, index) => 300 + index),
  );
});

test("readLog: nothing when there is no log", async () => {
  using at = place();
  assert.deepEqual(await numbers(at.log, {}), []);
  assert.deepEqual(await numbers(at.log, { tail: 5 }), []);
});

test("readLog: follows through rotation until the end, each line once", async () => {
  using at = place();
  writeFileSync(at.log, line(1));
  const ended = Promise.withResolvers<void>();
  const found: number[] = [];
  const reading = (async () => {
    for await (const entry of readLog(
      createScope({ signal: AbortSignal.timeout(10_000) }),
      at.log,
      { follow: true },
      () => ended.promise,
    ))
      found.push(Number(entry.text));
  })();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
  await pause();
  // Half a line, then the rest.
  appendFileSync(at.log, line(2).slice(0, 10));
  await pause();
  appendFileSync(at.log, line(2).slice(10));
  await pause();
  // Two rotations at once: the reader's file is two places away when it wakes.
  appendFileSync(at.log, line(3));
  renameSync(at.log, `${at.log}.1`);
  writeFileSync(at.log, line(4));
  renameSync(`${at.log}.1`, `${at.log}.2`);
  renameSync(at.log, `${at.log}.1`);
  writeFileSync(at.log, line(5));
  await pause();
  appendFileSync(at.log, line(6));
  ended.resolve();
  await reading;
  assert.deepEqual(found, [1, 2, 3, 4, 5, 6]);
});

test("readLog: a cancelled follower stops", async () => {
  using at = place();
  writeFileSync(at.log, line(1));
  const controller = new AbortController();
  const reading = (async () => {
    for await (const _ of readLog(createScope({ signal: controller.signal }), at.log, { follow: true }, never))
      controller.abort();
  })();
  await assert.rejects(reading, { code: "cancelled" });
});

test("readLog: a line that was cut is left out and said, the others are read", async () => {
  using at = place();
  writeFileSync(at.log, `${line(1)}{"log":"tor${line(2)}null\n[]\n{"log":7}\n${line(3)}`);
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const scope = createScope({ log: { debug: () => {}, info: () => {}, warn } });
  const found: string[] = [];
  for await (const entry of readLog(scope, at.log, {}, never)) found.push(entry.text);
  assert.deepEqual(found, ["1\n", "3\n"]);
  assert.equal(warnings.length, 4);
});
