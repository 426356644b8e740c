// The shim's socket against clients that are wrong, slow, many, or somebody else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { after, before, test } from "node:test";
import { Host, Session, sleep, UNABLE } from "./shim-harness.ts";
import type { ShimContainer } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
let made: ShimContainer | undefined;

before(async () => {
  if (host === undefined) return;
  made = await host.container({ args: ["cat"], shim: { stdin: true } }).created();
  await made.ask({ op: "start" });
});
after(async () => {
  await made?.ask({ op: "signal", signal: 9 });
  await made?.gone();
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});
const container = (): ShimContainer => made as ShimContainer;

async function works(): Promise<void> {
  const answer = await container().ask({ op: "state" });
  assert.equal(answer.ok && answer.state?.status, "running");
}

for (const [name, line, want] of [
  ["no JSON", "hello\n", /want a value/],
  ["an empty line", "\n", /want a value/],
  ["an unknown operation", '{"op":"format"}\n', /op: want one of/],
  ["two names alike", '{"op":"state","op":"start"}\n', /duplicate|twice|op/],
  ["a field too many", '{"op":"state","x":1}\n', /x: unknown field/],
  ["bytes that are no text", "\xff\xfe\n", /want a value/],
  ["deep nesting", `${"[".repeat(50_000)}\n`, /deep|nest/],
] as const) {
  test(`server: an error answer to ${name}`, { skip }, async () => {
    const answer = await container().ask(line);
    assert.equal(answer.ok, false);
    const error = (answer as { error: { code: string; message: string } }).error;
    assert.equal(error.code, "invalid");
    assert.match(error.message, want);
    await works();
  });
}

test("server: an error answer to a request without an end, beyond the limit", { skip }, async () => {
  const answer = await container().ask(`{"op":"${"x".repeat(2 << 20)}`);
  assert.match(JSON.stringify(answer), /more than 1048576 bytes/);
  await works();
});

test("server: an error answer to half a request", { skip }, async () => {
  const session = new Session(container().socketPath);
  await session.send('{"op":"sta');
  session.socket.end();
  assert.match(JSON.stringify(await session.answer()), /before the end of the line/);
});

test("server: a client that says nothing is let go after a bounded time", { skip }, async () => {
  const session = new Session(container().socketPath);
  assert.match(JSON.stringify(await session.answer()), /no whole request within 10000 ms/);
});

test("server: a byte at a time is a request too", { skip }, async () => {
  const session = new Session(container().socketPath);
  for (const byte of '{"op":"state"}\n') await session.send(byte);
  assert.equal((await session.answer()).ok, true);
});

test("server: frames that are not allowed end that connection only", { skip }, async () => {
  for (const frame of [
    [7, ""],
    [1, "x"],
    [4, "not json"],
    [4, '{"resize":{"rows":-1,"columns":1}}'],
    [4, '{"other":1}'],
  ] as const) {
    const session = await container().stream({ op: "attach", stdin: true, stdout: true, stderr: true });
    await session.frame(frame[0], frame[1]);
    assert.equal(await session.next(), undefined);
  }
  await works();
});

test("server: many clients are served, more than the limit are told so, and the shim recovers", { skip }, async () => {
  const sessions: Session[] = [];
  for (let i = 0; i < 140; i++) {
    const session = new Session(container().socketPath);
    sessions.push(session);
    await session.send('{"op":"wait"}\n');
  }
  await sleep(300);
  const refused = await container().ask({ op: "state" });
  assert.match(JSON.stringify(refused), /128 clients are connected/);
  for (const session of sessions) session.socket.destroy();
  await sleep(100);
  await works();
});

test("server: clients that vanish in the middle leave no descriptor behind", { skip }, async () => {
  const count = (): number =>
    Number(spawnSync("sh", ["-c", `ls /proc/${container().shimPid}/fd | wc -l`], { encoding: "utf8" }).stdout);
  const before = count();
  for (let i = 0; i < 60; i++) {
    const session = new Session(container().socketPath);
    await session.send(
      ['{"op":"wait"}\n', '{"op":"sta', '{"op":"attach","stdin":true,"stdout":true,"stderr":true}\n'][i % 3] ?? "",
    );
    session.socket.destroy();
  }
  await sleep(200);
  assert.equal(count(), before);
});

test(
  "server: the socket is the owner's only, and another user is refused even when it is opened to all",
  { skip },
  () => {
    assert.equal(statSync(container().socketPath).mode & 0o777, 0o600);
    const script = `const s = require("node:net").connect(process.argv[1]); s.on("data", (d) => { console.log(String(d)); process.exit(); }); s.on("error", (e) => { console.log(e.code); process.exit(); }); s.write('{"op":"state"}\\n');`;
    const asNobody = (): string => {
      const options = {
        encoding: "utf8",
        uid: 65534,
        gid: 65534,
        timeout: 5000,
        cwd: container().config.runDir,
      } as const;
      return spawnSync(process.execPath, ["-e", script, "shim.sock"], options).stdout;
    };
    spawnSync("chmod", ["-R", "a+rx", container().host.dir]);
    spawnSync("chmod", ["600", container().socketPath]);
    assert.match(asNobody(), /EACCES/);
    spawnSync("chmod", ["666", container().socketPath]);
    const answer = asNobody();
    spawnSync("chmod", ["600", container().socketPath]);
    assert.match(answer, /user 65534 is neither root nor the shim's/);
    assert.doesNotMatch(answer, /"ok":true/);
  },
);
