// The shim's container from create to nothing: start, signals, pause, exit record, OOM, time-outs, deaths on both sides.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { Host, sleep, UNABLE } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
after(() => {
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});
const the = (): Host => host as Host;

test("shim: exit code, record on disk before wait answers, nothing left", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "exit 42"] })
    .created();
  const exit = await container.run();
  assert.deepEqual(container.exitFile(), exit);
  assert.equal(exit.code, 42);
  assert.equal(exit.signal, 0);
  assert.equal(exit.error, null);
  assert.ok((exit.startedAt ?? "") < exit.finishedAt);
  await container.gone();
  assert.deepEqual(container.leftovers(), []);
  assert.equal(container.shimLog(), "");
  const state = JSON.parse(readFileSync(`${container.config.runDir}/state.json`, "utf8")) as {
    status: string;
    exit: unknown;
  };
  assert.equal(state.status, "stopped");
  assert.deepEqual(state.exit, exit);
});

test("shim: state follows created, running, paused, running, stopped", { skip }, async () => {
  const container = await the()
    .container({ args: ["sleep", "100"] })
    .created();
  const status = async (): Promise<string | undefined> => {
    const answer = await container.ask({ op: "state" });
    return answer.ok ? answer.state?.status : undefined;
  };
  assert.equal(await status(), "created");
  assert.equal((await container.ask({ op: "pause" })).ok, false);
  assert.equal((await container.ask({ op: "start" })).ok, true);
  assert.equal(await status(), "running");
  const again = await container.ask({ op: "start" });
  assert.equal(!again.ok && (again.error as { code: string }).code, "conflict");
  assert.equal((await container.ask({ op: "pause" })).ok, true);
  assert.equal(await status(), "paused");
  assert.equal((await container.ask({ op: "resume" })).ok, true);
  assert.equal(await status(), "running");
  const wait = container.ask({ op: "wait" });
  assert.equal((await container.ask({ op: "signal", signal: 9 })).ok, true);
  const end = await wait;
  assert.ok(end.ok);
  assert.equal(end.exit?.code, 137);
  assert.equal(end.exit?.signal, 9);
  assert.equal(end.exit?.oomKilled, false);
  await container.gone();
});

test("shim: a created container that is killed ends without a start", { skip }, async () => {
  const container = await the()
    .container({ args: ["true"] })
    .created();
  const wait = container.ask({ op: "wait" });
  assert.equal((await container.ask({ op: "signal", signal: 9 })).ok, true);
  const end = await wait;
  assert.ok(end.ok);
  assert.equal(end.exit?.startedAt, null);
  assert.equal(end.exit?.code, 137);
  await container.gone();
});

test("shim: everything is undone when no start comes", { skip }, async () => {
  const container = await the()
    .container({ args: ["true"], shim: { startTimeoutMs: 200 } })
    .created();
  await container.gone();
  assert.match(container.exitFile().error ?? "", /no start within 200 ms/);
  assert.deepEqual(container.leftovers(), []);
});

test("shim: an OOM kill is seen", { skip }, async () => {
  const container = await the()
    .container({
      args: ["sh", "-c", "head -c 200000000 /dev/zero | tail"],
      spec: (spec) => void (spec.linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } }),
    })
    .created();
  const exit = await container.run();
  assert.equal(exit.oomKilled, true);
  assert.notEqual(exit.code, 0);
  await container.gone();
});

test("shim: nothing of the mount shows on the host, and the upper layer keeps what was written", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "echo kept > /file; sleep 100"] })
    .created();
  await container.ask({ op: "start" });
  assert.ok(!readFileSync("/proc/self/mounts", "utf8").includes(the().dir));
  for (let i = 0; i < 200 && !existsSync(`${container.root}/upper/file`); i++) await sleep(10);
  await container.ask({ op: "signal", signal: 9 });
  await container.gone();
  assert.equal(readFileSync(`${container.root}/upper/file`, "utf8"), "kept\n");
});

test("shim: a hundred layers, with long paths, are mounted", { skip }, async () => {
  const dirs = Array.from(
    { length: 100 },
    (_, i) => `${the().dir}/layer-${String(i).padStart(64, "0")}/${"x".repeat(200)}`,
  );
  for (const [i, dir] of dirs.entries()) spawnSync("sh", ["-c", `mkdir -p ${dir} && echo ${i} > ${dir}/f${i}`]);
  const lower = [...dirs, the().base];
  const container = await the()
    .container({ args: ["cat", "/f0", "/f57", "/f99"], shim: { rootfs: { kind: "overlay", lower } } })
    .created();
  const exit = await container.run();
  assert.equal(exit.code, 0);
  assert.equal(container.logText(), "0\n57\n99\n");
  await container.gone();
});

test("shim: a single read-only layer is read-only", { skip }, async () => {
  const container = await the()
    .container({ args: ["sh", "-c", "echo x > /file"], shim: { rootfs: { kind: "overlay", lower: [the().base] } } })
    .created();
  assert.notEqual((await container.run()).code, 0);
  assert.match(container.logText("stderr"), /[Rr]ead-only/);
  await container.gone();
  assert.ok(!existsSync(`${the().base}/file`));
});

test("shim: processes that init leaves behind die with it, without a pid namespace too", { skip }, async () => {
  const container = await the()
    .container({
      args: ["sh", "-c", "setsid sleep 1000 & echo $!"],
      spec: (spec) =>
        void (spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== "pid")),
    })
    .created();
  await container.run();
  const pid = container.logText().trim();
  assert.match(pid, /^\d+$/);
  await container.gone();
  assert.ok(!existsSync(`/proc/${pid}/exe`));
});

test("shim: the container outlives whoever started the shim, and any client", { skip }, async () => {
  const container = await the()
    .container({ args: ["sleep", "100"] })
    .created();
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${container.shimPid}/status`, "utf8"))?.[1];
  assert.notEqual(Number(parent), process.pid);
  const session = readFileSync(`/proc/${container.shimPid}/stat`, "utf8").split(" ")[5];
  assert.equal(Number(session), container.shimPid);
  await container.ask({ op: "start" });
  const stream = await container.stream({ op: "attach", stdin: false, stdout: true, stderr: true });
  stream.socket.destroy();
  await sleep(50);
  const state = await container.ask({ op: "state" });
  assert.equal(state.ok && state.state?.status, "running");
  await container.ask({ op: "signal", signal: 9 });
  await container.gone();
});

test("shim: a second shim for the same container is refused", { skip }, async () => {
  const container = await the()
    .container({ args: ["true"] })
    .created();
  const { shimPid } = container;
  const second = await container.create();
  assert.equal(!second.ok && (second.error as { code: string }).code, "conflict");
  container.shimPid = shimPid;
  await container.run();
  await container.gone();
});

test("shim: after a killed shim the lock is free and --cleanup leaves nothing but a record", { skip }, async () => {
  const container = await the()
    .container({ args: ["sleep", "100"] })
    .created();
  await container.ask({ op: "start" });
  const busy = the().cleanUp(container);
  assert.match(busy.output, /alive/);
  assert.notEqual(busy.status, 0);
  process.kill(container.shimPid, "SIGKILL");
  await container.gone();
  assert.equal(spawnSync("flock", ["-n", `${container.config.runDir}/shim.lock`, "true"]).status, 0);
  assert.notDeepEqual(container.leftovers(), []);
  for (const attempt of [1, 2]) {
    const result = the().cleanUp(container);
    assert.equal(result.status, 0, `attempt ${attempt}: ${result.output}`);
  }
  assert.deepEqual(container.leftovers(), []);
  assert.equal(container.exitFile().code, 137);
  assert.match(container.exitFile().error ?? "", /monitor died/);
});

test("shim: no descriptor beyond what it needs, and little memory", { skip }, async (context) => {
  const container = await the()
    .container({ args: ["sleep", "100"] })
    .created();
  await container.ask({ op: "start" });
  for (let i = 0; i < 50; i++) await container.ask({ op: "state" });
  const fds = spawnSync("ls", ["-l", `/proc/${container.shimPid}/fd`], { encoding: "utf8" }).stdout;
  assert.ok(fds.split("\n").length < 20, fds);
  const status = readFileSync(`/proc/${container.shimPid}/status`, "utf8");
  const resident = Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]);
  context.diagnostic(
    `RSS ${resident} KiB, ${readFileSync(`/proc/${container.shimPid}/smaps_rollup`, "utf8")
      .match(/Pss:\s*\d+ kB|Private_Dirty:\s*\d+ kB/g)
      ?.join(", ")}`,
  );
  assert.ok(resident < 8192, `RSS ${resident} KiB`);
  await container.ask({ op: "signal", signal: 9 });
  await container.gone();
});
