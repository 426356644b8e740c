// Streams of the container: attach, stdin, terminals, the log and its rotation, slow clients, held pipes, a full disk.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { after, test } from "node:test";
import { Host, sleep, UNABLE } from "./shim-harness.ts";
import type { ShimContainer } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
after(() => {
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});
const the = (): Host => host as Host;
const both = { stdout: true, stderr: true } as const;

async function kill(container: ShimContainer): Promise<void> {
  await container.ask({ op: "signal", signal: 9 });
  await container.gone();
}

test("attach: output in both streams, and the end with the exit code after all of it", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "seq 1 20000; echo done >&2; exit 5"] })
    .created();
  const session = await container.stream({ op: "attach", stdin: false, ...both, wait: true });
  void container.ask({ op: "start" });
  assert.deepEqual(await session.end(), { code: 5 });
  const want = Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join("");
  assert.equal(session.stdout, want);
  assert.equal(session.stderr, "done\n");
  await container.gone();
  assert.equal(container.logText(), want);
  const times = container.log().map((line) => line.time);
  assert.deepEqual(times, times.toSorted());
  assert.match(times[0] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});

test("attach: only the stream that was asked for", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "echo out; echo err >&2"] })
    .created();
  const session = await container.stream({ op: "attach", stdin: false, stdout: false, stderr: true });
  void container.ask({ op: "start" });
  await session.end();
  assert.deepEqual([session.stdout, session.stderr], ["", "err\n"]);
  await container.gone();
});

test("attach: stdin reaches the container, and its end with StdinOnce", { skip }, async () => {
  const container = await the()
    .container({ args: ["cat"], shim: { stdin: true, stdinOnce: true } })
    .created();
  const session = await container.stream({ op: "attach", stdin: true, ...both, wait: true });
  await container.ask({ op: "start" });
  const big = "0123456789abcde\n".repeat(60_000);
  const sent = session.frame(0, big).then(() => session.frame(0, ""));
  assert.deepEqual(await session.end(), { code: 0 });
  await sent;
  assert.equal(session.stdout.length, big.length);
  assert.equal(session.stdout, big);
  await container.gone();
});

test("attach: a client that goes away ends stdin with StdinOnce only", { skip }, async () => {
  for (const stdinOnce of [true, false]) {
    const container = await the()
      .container({ args: ["cat"], shim: { stdin: true, stdinOnce } })
      .created();
    await container.ask({ op: "start" });
    const session = await container.stream({ op: "attach", stdin: true, ...both });
    await session.frame(0, "x\n");
    await session.until("x\n");
    session.socket.destroy();
    await sleep(200);
    const answer = await container.ask({ op: "state" }).catch(() => undefined);
    const running = answer?.ok === true && answer.state?.status === "running";
    assert.equal(running, !stdinOnce);
    if (running) await kill(container);
    else await container.gone();
  }
});

test("attach: stdin is /dev/null when none is kept", { skip }, async () => {
  const container = await the()
    .container({ args: ["cat"] })
    .created();
  assert.equal((await container.run()).code, 0);
  await container.gone();
});

test("terminal: one stream, the size, keys, and the end", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh"], shim: { terminal: true, stdin: true, stdinOnce: true } })
    .created();
  const session = await container.stream({ op: "attach", stdin: true, ...both });
  assert.equal((await container.ask({ op: "resize", rows: 33, columns: 111 })).ok, true);
  await container.ask({ op: "start" });
  await session.frame(0, "stty size; tty; echo err >&2\n");
  await session.until("33 111");
  await session.until("err\r\n");
  await session.frame(4, JSON.stringify({ resize: { rows: 44, columns: 122 } }));
  await session.frame(0, "stty size\n");
  await session.until("44 122");
  await session.frame(0, "exit 7\n");
  assert.equal((await session.end()).code, 7);
  assert.equal(session.stderr, "");
  await container.gone();
  assert.match(container.logText(), /44 122\r\n/);
});

test("terminal: output to the last byte when the process ends at once", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "seq 1 5000"], shim: { terminal: true } })
    .created();
  const session = await container.stream({ op: "attach", stdin: false, ...both, wait: true });
  void container.ask({ op: "start" });
  await session.end();
  assert.equal(session.stdout, Array.from({ length: 5000 }, (_, i) => `${i + 1}\r\n`).join(""));
  await container.gone();
});

test("resize: conflict without a terminal", { skip }, async () => {
  const container = await the()
    .container({ args: ["sleep", "100"] })
    .created();
  const answer = await container.ask({ op: "resize", rows: 1, columns: 1 });
  assert.equal(!answer.ok && (answer.error as { code: string }).code, "conflict");
  await kill(container);
});

test("log: long lines are split at 16 KiB, the last line needs no newline, odd bytes survive", { skip }, async () => {
  const script =
    "head -c 40000 /dev/zero | tr '\\0' x; printf '\\n\"quoted\" back\\\\slash \\001 \\377 \\303\\251 end'";
  const container = await the()
    .container({ args: ["sh", "-c", script] })
    .created();
  await container.run();
  await container.gone();
  const lines = container.log().map((line) => line.log);
  assert.deepEqual(
    lines.slice(0, 3).map((line) => line.length),
    [16_384, 16_384, 7233],
  );
  assert.equal(lines[3], '"quoted" back\\slash \u0001 \ufffd é end');
});

test("log: rotation keeps so many files of so many bytes, and loses no line between them", { skip }, async () => {
  const log = { path: `${the().dir}/rotated.log`, maxSize: 100_000, maxFiles: 3 };
  const container = await the()
    .container({ args: ["seq", "1", "20000"], shim: { log } })
    .created();
  await container.run();
  await container.gone();
  const files = [2, 1, 0].map((age) => (age === 0 ? log.path : `${log.path}.${age}`));
  assert.ok(!existsSync(`${log.path}.3`));
  const numbers = files
    .flatMap((file) => readFileSync(file, "utf8").trim().split("\n"))
    .map((line) => Number((JSON.parse(line) as { log: string }).log));
  assert.equal(numbers.at(-1), 20_000);
  for (const [i, number] of numbers.entries()) assert.equal(number, (numbers[0] ?? 0) + i);
});

test(
  "log: a full disk costs lines and not the container; shim.log says so; lines come back with the space",
  { skip },
  async () => {
    const dir = `${the().dir}/small`;
    spawnSync("sh", [
      "-c",
      `mkdir ${dir} && mount -t tmpfs -o size=64k tmpfs ${dir} && head -c 50000 /dev/zero > ${dir}/filler`,
    ]);
    try {
      const log = { path: `${dir}/container.log`, maxSize: 0, maxFiles: 1 };
      const container = await the()
        .container({ args: ["sh", "-c", "seq 1 20000; cat; echo last"], shim: { log, stdin: true, stdinOnce: true } })
        .created();
      const session = await container.stream({ op: "attach", stdin: true, ...both, wait: true });
      await container.ask({ op: "start" });
      await session.until("\n20000\n");
      spawnSync("rm", [`${dir}/filler`]);
      await session.frame(0, "");
      assert.deepEqual(await session.end(), { code: 0 });
      await container.gone();
      assert.equal(container.log().at(-1)?.log, "last\n");
      assert.match(
        container.shimLog(),
        /output is lost[^\n]*ENOSPC\n.* \d+ bytes of the container's output are not in its log\n/,
      );
    } finally {
      spawnSync("umount", [dir]);
    }
  },
);

test("slow client: cut off with an end, while log and container never notice", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "seq 1 1000000; echo finished"] })
    .created();
  const slow = await container.stream({ op: "attach", stdin: false, ...both });
  slow.socket.pause();
  const exit = await container.run();
  assert.equal(exit.code, 0);
  slow.socket.resume();
  const end = await slow.end();
  assert.equal(end.code, -1);
  assert.match(end.error ?? "", /behind/);
  await container.gone();
  assert.equal(container.log().length, 1_000_001);
  assert.equal(container.log().at(-1)?.log, "finished\n");
});

test("waiting client: the container waits for it, and goes on when it leaves", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "seq 1 1000000; echo finished"] })
    .created();
  const slow = await container.stream({ op: "attach", stdin: false, ...both, wait: true });
  slow.socket.pause();
  const wait = container.ask({ op: "wait" });
  await container.ask({ op: "start" });
  await sleep(400);
  const size = statSync(container.config.log?.path ?? "").size;
  await sleep(300);
  assert.equal(statSync(container.config.log?.path ?? "").size, size, "output goes on");
  const state = await container.ask({ op: "state" });
  assert.equal(state.ok && state.state?.status, "running");
  slow.socket.destroy();
  assert.equal((await wait).ok, true);
  await container.gone();
  assert.equal(container.log().length, 1_000_001);
});

test("waiting client: gets everything, slowly", { skip }, async () => {
  const container = await the()
    .container({ args: ["seq", "1", "300000"] })
    .created();
  const slow = await container.stream({ op: "attach", stdin: false, ...both, wait: true });
  void container.ask({ op: "start" });
  const timer = setInterval(() => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 20);
  }, 40);
  assert.deepEqual(await slow.end(), { code: 0 });
  clearInterval(timer);
  assert.equal(slow.stdout, Array.from({ length: 300_000 }, (_, i) => `${i + 1}\n`).join(""));
  await container.gone();
});

test("held pipe: a process elsewhere that keeps stdout open delays the end by a bound only", { skip }, async () => {
  const fifo = `${the().dir}/pid`;
  const container = await the()
    .container({ args: ["sh", "-c", "echo out; sleep 0.3"] })
    .created();
  void container.ask({ op: "start" });
  const state = await container.ask({ op: "state" });
  const pid = state.ok ? (state.state?.pid ?? 0) : 0;
  // A process outside that opened the container's stdout.
  const holder = spawnSync("sh", [
    "-c",
    `exec 9>/proc/${pid}/fd/1; sleep 6 >/dev/null 2>&1 </dev/null & echo $! > ${fifo}`,
  ]);
  assert.equal(holder.status, 0);
  const begin = Date.now();
  const end = await container.ask({ op: "wait" });
  assert.ok(end.ok);
  assert.ok(Date.now() - begin < 4000);
  process.kill(Number(readFileSync(fifo, "utf8")), "SIGKILL");
  await container.gone();
  assert.equal(container.logText(), "out\n");
});
