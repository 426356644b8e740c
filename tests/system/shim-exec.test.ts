// exec sessions: streams, terminals, exit codes, programs that cannot be run, clients that leave.

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { ShimRequest, ShimResponse } from "@teu/shim/protocol";
import { Host, sleep, UNABLE } from "./shim-harness.ts";
import type { ShimContainer } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
let running: ShimContainer | undefined;

before(async () => {
  if (host === undefined) return;
  writeFileSync(`${host.base}/not-executable`, "#!/bin/sh\n");
  running = await host.container({ args: ["sleep", "1000"] }).created();
  await running.ask({ op: "start" });
});
after(async () => {
  await running?.ask({ op: "signal", signal: 9 });
  await running?.gone();
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});
const container = (): ShimContainer => running as ShimContainer;

function exec(
  args: readonly string[],
  more: Partial<Extract<ShimRequest, { op: "exec" }>> = {},
  process: object = {},
): ShimRequest {
  const env = ["PATH=/bin", "TERM=xterm"];
  return {
    op: "exec",
    process: { args, env, cwd: "/", user: { uid: 0, gid: 0 }, ...process },
    stdin: false,
    stdout: true,
    stderr: true,
    detach: false,
    ...more,
  };
}

function code(answer: ShimResponse): unknown {
  return answer.ok ? "ok" : (answer.error as { detail?: { exitCode?: number } }).detail?.exitCode;
}

test("exec: output of both streams and the exit code", { skip }, async () => {
  const session = await container().stream(exec(["sh", "-c", "echo out; echo err >&2; exit 9"]));
  assert.deepEqual(await session.end(), { code: 9 });
  assert.deepEqual([session.stdout, session.stderr], ["out\n", "err\n"]);
});

test("exec: stdin to the end", { skip }, async () => {
  const session = await container().stream(exec(["cat"], { stdin: true }));
  const big = "x".repeat(3_000_000);
  void session.frame(0, big).then(() => session.frame(0, ""));
  assert.deepEqual(await session.end(), { code: 0 });
  assert.equal(session.stdout, big);
});

test("exec: a client that closes its sending side has ended stdin", { skip }, async () => {
  const session = await container().stream(exec(["cat"], { stdin: true }));
  await session.frame(0, "abc");
  session.socket.end();
  assert.deepEqual(await session.end(), { code: 0 });
  assert.equal(session.stdout, "abc");
});

test("exec: a terminal with its size", { skip }, async () => {
  const session = await container().stream(exec(["sh"], { stdin: true }, { terminal: true }));
  await session.frame(4, JSON.stringify({ resize: { rows: 12, columns: 34 } }));
  await session.frame(0, "stty size\n");
  await session.until("12 34");
  await session.frame(0, "exit 3\n");
  assert.deepEqual(await session.end(), { code: 3 });
});

test("exec: 137 when killed", { skip }, async () => {
  const session = await container().stream(exec(["sh", "-c", "kill -9 $$"]));
  assert.deepEqual(await session.end(), { code: 137 });
});

for (const [name, args, want] of [
  ["a program that does not exist", ["/nope"], 127],
  ["a name that is not in PATH", ["nope"], 127],
  ["a file that is not executable", ["/not-executable"], 126],
  ["a directory", ["/tmp"], 126],
] as const) {
  test(`exec: exit code ${want} for ${name}`, { skip }, async () => {
    assert.equal(code(await container().ask(exec(args))), want);
    const left = readdirSync(container().config.runDir).filter((file) => /^(exec|runtime|console)/.test(file));
    assert.deepEqual(left, []);
  });
}

test("exec: invalid when the runtime refuses the process object", { skip }, async () => {
  const answer = await container().ask(exec([]));
  assert.equal(answer.ok, false);
});

test("exec: detached answers with the pid and leaves the process to run", { skip }, async () => {
  const answer = await container().ask(exec(["sleep", "0.3"], { detach: true }));
  assert.ok(answer.ok && answer.pid !== undefined);
  assert.ok(existsSync(`/proc/${answer.pid}/exe`));
  for (let i = 0; i < 100 && existsSync(`/proc/${answer.pid}`); i++) await sleep(20);
  assert.ok(!existsSync(`/proc/${answer.pid}`), "reaped");
});

test("exec: the process lives on when its client goes away", { skip }, async () => {
  const session = await container().stream(
    exec(["sh", "-c", "yes | head -c 3000000; sleep 0.2; echo lived > /tmp/lived; sleep 0.1"]),
  );
  session.socket.destroy();
  const file = `${container().root}/upper/tmp/lived`;
  for (let i = 0; i < 100 && !existsSync(file); i++) await sleep(20);
  assert.ok(existsSync(file));
});

test("exec: a process whose client does not read waits for it, and nothing is lost", { skip }, async () => {
  const session = await container().stream(exec(["sh", "-c", "yes | head -c 4000000"]));
  session.socket.pause();
  await sleep(300);
  session.socket.resume();
  assert.deepEqual(await session.end(), { code: 0 });
  assert.equal(session.stdout.length, 4_000_000);
});

test("exec: many at once", { skip }, async () => {
  const sessions = await Promise.all(
    Array.from({ length: 12 }, (_, i) => container().stream(exec(["sh", "-c", `echo ${i}; exit ${i}`]))),
  );
  for (const [i, session] of sessions.entries()) {
    assert.deepEqual(await session.end(), { code: i });
    assert.equal(session.stdout, `${i}\n`);
  }
});

test("exec: conflict when the container is not running", { skip }, async () => {
  const created = await (host as Host).container({ args: ["true"] }).created();
  const answer = await created.ask(exec(["true"]));
  assert.equal(!answer.ok && (answer.error as { code: string }).code, "conflict");
  await created.run();
  await created.gone();
});

test("exec: sessions end when the container does", { skip }, async () => {
  const short = await (host as Host).container({ args: ["sleep", "100"] }).created();
  await short.ask({ op: "start" });
  const session = await short.stream(exec(["sleep", "100"]));
  await short.ask({ op: "signal", signal: 9 });
  assert.equal((await session.end()).code, 137);
  await short.gone();
});
