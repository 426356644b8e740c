// Containers of the engine, end to end: real shim, real runtime, real kernel.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";
import { exitCodeOf } from "@teu/engine/exit-code";

import { busyboxEntries, EngineHost, readAll, UNABLE } from "./engine-harness.ts";

const opts = { skip: UNABLE };
const NONE = { image: "busybox", network: "none" } as const;

/** What containers leave on the host when something goes wrong. */
function traces(host: EngineHost): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(host.directory));
  const run = readdirSync(join(host.directory, "run/containers"));
  return [
    ...mounts,
    ...run,
    ...readdirSync(join(host.directory, "root/containers")),
    ...readdirSync(join(host.directory, "root/snapshots/workspaces")),
    ...readdirSync(join(host.directory, "root/tmp")),
  ];
}

test("Containers: output, exit code, isolation; nothing left after removal", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { id, code, stdout, stderr } = await host.run({
    ...NONE,
    hostname: "inside",
    command: ["sh", "-c", "echo out; echo err >&2; hostname; ps | wc -l; ip -o link | wc -l; exit 3"],
  });
  assert.equal(code, 3);
  assert.equal(stderr, "err\n");
  const [out, hostname, processes, links] = stdout.trim().split("\n");
  assert.deepEqual([out, hostname, links], ["out", "inside", "1"]);
  assert.ok(Number(processes) <= 5);
  const summary = await host.engine.containers.get(host.scope, id);
  assert.partialDeepStrictEqual(summary, { status: "exited", exit: { code: 3, signal: 0 } });
  const log: string[] = [];
  for await (const entry of host.engine.containers.logs(host.scope, id)) log.push(`${entry.stream}:${entry.text}`);
  assert.ok(log.includes("stdout:out\n") && log.includes("stderr:err\n"));
  await host.engine.containers.remove(host.scope, id);
  assert.deepEqual(traces(host), []);
});

test("Containers: stdin flows in, its end ends cat", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { id } = await containers.create(host.scope, { ...NONE, interactive: true, command: ["cat"] });
  await using session = await containers.start(host.scope, id, { attach: { stdin: true } });
  const output = readAll(session);
  await session.write(Buffer.from("hello "));
  await session.write(Buffer.from("world"));
  await session.end();
  assert.equal((await output).stdout, "hello world");
  assert.equal(await session.exitCode, 0);
});

test("Containers: a terminal has a size and joins the streams", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { id } = await containers.create(host.scope, {
    ...NONE,
    tty: true,
    interactive: true,
    command: ["sh", "-c", "read x; stty size; tty; echo e >&2"],
  });
  await using session = await containers.start(host.scope, id, { attach: { stdin: true } });
  await session.resize(33, 77);
  await session.write(Buffer.from("\n"));
  const { stdout, stderr } = await readAll(session);
  assert.match(stdout, /33 77\r\n\/dev\/(?:console|pts\/0)\r\ne\r\n$/);
  assert.equal(stderr, "");
});

test(
  "Containers: exec in a running one, with its own user, directory and code; detached; refused when it does not run",
  opts,
  async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const { containers } = host.engine;
    const { scope } = host;
    const { id } = await containers.create(scope, { ...NONE, env: ["FROM=container"], command: ["sleep", "100"] });
    await assert.rejects(containers.exec(scope, id, { command: ["true"] }), { code: "conflict" });
    await containers.start(scope, id);
    await using session = await containers.exec(scope, id, {
      command: ["sh", "-c", "id; pwd; echo $FROM $MORE; exit 9"],
      user: "app",
      workdir: "/tmp",
      env: ["MORE=exec"],
    });
    const { stdout } = await readAll(session);
    assert.equal(stdout, "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n/tmp\ncontainer exec\n");
    assert.equal(await session.exitCode, 9);
    const { pid } = await containers.execDetached(scope, id, { command: ["sleep", "50"] });
    assert.ok(pid > 0);
    const { processes } = await containers.top(scope, id);
    assert.deepEqual(processes.map((row) => row.at(-1)).toSorted(), ["sleep 100", "sleep 50"]);
    await assert.rejects(
      containers.exec(scope, id, { command: ["/no/such/program"] }),
      (error) => exitCodeOf(error) === 127,
    );
  },
);

test(
  "Containers: programs that cannot be run give 127 and 126, and leave a container that was never started",
  opts,
  async () => {
    await using host = await EngineHost.open();
    await host.image("busybox", [...busyboxEntries(), { name: "etc/data", content: "x", mode: 0o644 }], {
      Env: ["PATH=/bin"],
    });
    const { containers } = host.engine;
    for (const [command, want] of [
      ["/no/such/program", 127],
      ["no-such-program", 127],
      ["/etc/data", 126],
      ["/etc", 126],
    ] as const) {
      const { id } = await containers.create(host.scope, { ...NONE, command: [command] });
      await assert.rejects(containers.start(host.scope, id), (error) => exitCodeOf(error) === want, command);
      assert.equal((await containers.get(host.scope, id)).status, "created", command);
      await containers.remove(host.scope, id);
    }
    assert.deepEqual(traces(host), []);
  },
);

test("Containers: stop asks first and kills then; kill; wait; restart keeps the files", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const polite = await containers.create(scope, {
    ...NONE,
    command: ["sh", "-c", "echo run >> /count; trap 'exit 5' TERM; while :; do sleep 0.1; done"],
  });
  await containers.start(scope, polite.id);
  await until(async () => (await execText(host, polite.id, ["cat", "/count"])) === "run\n");
  await containers.stop(scope, polite.id);
  assert.equal((await containers.get(scope, polite.id)).exit?.code, 5);
  await containers.start(scope, polite.id);
  await until(async () => (await execText(host, polite.id, ["cat", "/count"])) === "run\nrun\n");
  await containers.kill(scope, polite.id);
  assert.partialDeepStrictEqual((await containers.get(scope, polite.id)).exit, { code: 137, signal: 9 });
  await assert.rejects(containers.kill(scope, polite.id), { code: "conflict" });
  await containers.stop(scope, polite.id);
  const deaf = await containers.create(scope, {
    ...NONE,
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
  });
  await containers.start(scope, deaf.id);
  await containers.stop(scope, deaf.id, { timeoutSeconds: 1 });
  assert.equal((await containers.wait(scope, deaf.id)).code, 137);
});

test("Containers: limits, user, read-only root, volumes, tmpfs, sysctl, ulimits reach the process", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const bound = join(host.directory, "bound");
  mkdirSync(bound);
  writeFileSync(join(bound, "file"), "from the host\n");
  const script = [
    "id -u",
    "cat /bound/file",
    "touch /bound/new 2>/dev/null || echo ro-bind",
    "touch /x 2>/dev/null || echo ro-root",
    "touch /vol/kept && echo vol",
    "touch /tmp/t && echo tmpfs",
    "ulimit -n",
    "cat /proc/sys/net/ipv4/ip_forward",
    "df -k /dev/shm | tail -1 | awk '{print $2}'",
    "cat /etc/hosts | grep db",
    "cat /etc/resolv.conf",
    "grep CapBnd /proc/self/status | cut -f2",
    "echo $HOME",
  ].join("; ");
  const { code, stdout } = await host.run({
    ...NONE,
    command: ["sh", "-c", script],
    readOnly: true,
    user: "1000",
    shmSize: 1 << 20,
    capDrop: ["ALL"],
    addHost: ["db:10.1.2.3"],
    dns: ["9.9.9.9"],
    volumes: [
      { kind: "bind", source: bound, target: "/bound", readOnly: true },
      { kind: "volume", name: "vol", target: "/vol" },
      { kind: "tmpfs", target: "/tmp", options: ["mode=1777"] },
    ],
    ulimits: [{ name: "nofile", soft: 123, hard: 456 }],
    sysctls: { "net.ipv4.ip_forward": "1" },
    resources: { memory: 64 << 20, pidsLimit: 50, cpus: 0.5 },
  });
  assert.equal(code, 0);
  assert.deepEqual(stdout.trim().split("\n"), [
    "1000",
    "from the host",
    "ro-bind",
    "ro-root",
    "tmpfs",
    "123",
    "1",
    "1024",
    "10.1.2.3\tdb",
    "nameserver 9.9.9.9",
    "0000000000000000",
    "/home/app",
  ]);
});

test("Containers: a memory limit kills, and is told", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { id, code } = await host.run({
    ...NONE,
    resources: { memory: 16 << 20 },
    command: ["sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived"],
  });
  assert.notEqual(code, 0);
  assert.equal((await host.engine.containers.inspect(host.scope, id)).State.OOMKilled, true);
});

test("Containers: --rm removes on wait; whoever comes next removes what a dead client left", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const one = await containers.create(scope, { ...NONE, autoRemove: true, command: ["true"] });
  await containers.start(scope, one.id);
  assert.equal((await containers.wait(scope, one.id)).code, 0);
  assert.deepEqual(traces(host), []);
  const two = await containers.create(scope, { ...NONE, autoRemove: true, command: ["true"] });
  await containers.start(scope, two.id);
  // Nobody waits: the shim ends by itself, and a later command finds it.
  await until(async () => (await containers.list(scope, { all: true })).length === 0);
  assert.deepEqual(traces(host), []);
});

test("Containers: kill -9 of the shim is noticed, and the state does not lie", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const { id } = await containers.create(scope, { ...NONE, command: ["sleep", "1000"] });
  await containers.start(scope, id);
  const { pid } = await containers.get(scope, id);
  const state = JSON.parse(readFileSync(join(host.directory, "run/containers", id, "state.json"), "utf8")) as {
    shimPid: number;
  };
  process.kill(state.shimPid, "SIGKILL");
  await until(async () => (await containers.get(scope, id)).status !== "running");
  const summary = await containers.get(scope, id);
  assert.equal(summary.status, "exited");
  assert.equal(summary.exit?.code, 137);
  await until(
    async () => !existsSync(`/proc/${pid}/exe`) || readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z "),
  );
  // It can be started again.
  await containers.start(scope, id);
  assert.equal((await containers.get(scope, id)).status, "running");
  await containers.remove(scope, id, { force: true });
  assert.deepEqual(traces(host), []);
});

test("Containers: after a reboot nothing runs, what ran has ended with 255, and starts again", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { scope } = host;
  const { id } = await host.engine.containers.create(scope, { ...NONE, command: ["sleep", "1000"] });
  await host.engine.containers.start(scope, id);
  // A reboot, as far as the disk can tell: processes gone, RUNROOT empty.
  await host.engine.containers.kill(scope, id);
  await host.engine[Symbol.asyncDispose]();
  rmSync(join(host.directory, "run"), { recursive: true });
  rmSync(join(host.directory, "root/containers", id, "exit.json"));
  host.engine = await host.another();
  assert.equal((await host.engine.containers.get(scope, id)).status, "exited");
  assert.equal((await host.engine.containers.get(scope, id)).exit?.code, 255);
  await host.engine.containers.start(scope, id);
  assert.equal((await host.engine.containers.get(scope, id)).status, "running");
});

test("Containers: logs are followed until the end, also across a rotation", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const { id } = await containers.create(scope, {
    ...NONE,
    log: { maxSize: 2000, maxFiles: 5 },
    command: [
      "sh",
      "-c",
      "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); [ $((i % 15)) = 0 ] && sleep 0.1; done; true",
    ],
  });
  await containers.start(scope, id);
  const lines: string[] = [];
  for await (const entry of containers.logs(scope, id, { follow: true })) lines.push(entry.text.trim());
  assert.equal(lines.at(-1), "line 59");
  assert.ok(readdirSync(join(host.directory, "root/containers", id)).includes("container.log.1"));
});

test("Containers: names are unique, prefixes find, ambiguous and odd ones do not", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const { id } = await containers.create(scope, { ...NONE, name: "web" });
  await assert.rejects(containers.create(scope, { ...NONE, name: "web" }), { code: "already-exists" });
  for (const ref of ["web", "/web", id, id.slice(0, 6)]) assert.equal((await containers.get(scope, ref)).id, id);
  for (const ref of ["", "../web", "we", "WEB", "%", "_"])
    await assert.rejects(containers.get(scope, ref), { code: "not-found" }, ref);
  await containers.rename(scope, "web", "shop");
  assert.equal((await containers.get(scope, "shop")).id, id);
  await assert.rejects(containers.create(scope, { image: "absent", network: "none" }), { code: "not-found" });
});

test("Containers: a cancelled start leaves nothing", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  for (const delay of [0, 5, 15, 30, 60]) {
    const { id } = await containers.create(host.scope, { ...NONE, command: ["sleep", "100"] });
    const scope = createScope({ signal: AbortSignal.any([host.scope.signal, AbortSignal.timeout(delay)]) });
    const started = await containers.start(scope, id).then(
      () => true,
      () => false,
    );
    const { status } = await containers.get(host.scope, id);
    assert.equal(status, started ? "running" : "created", `after ${delay} ms`);
    await containers.remove(host.scope, id, { force: true });
  }
  assert.deepEqual(traces(host), []);
});

test(
  "Containers: kill -9 of the engine at random moments leaves a consistent store",
  { ...opts, timeout: 100_000 },
  async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const script = `
    import { Engine } from "@teu/engine/engine";
    import { createScope } from "@teu/base/scope";
    const scope = createScope();
    const engine = await Engine.open(scope, ${JSON.stringify(host.options)});
    process.stdout.write("ready\\n");
    for (;;) {
      const { id } = await engine.containers.create(scope, { image: "busybox", network: "none", command: ["true"], autoRemove: Math.random() < 0.5 });
      await engine.containers.start(scope, id);
      await engine.containers.wait(scope, id);
      await engine.containers.remove(scope, id).catch(() => {});
    }`;
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
        cwd: new URL("../../packages/cli", import.meta.url).pathname,
      });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("close", resolve));
      for (const one of await host.engine.containers.list(host.scope, { all: true }))
        assert.ok(["created", "running", "exited"].includes(one.status), one.status);
    }
    // A shim whose engine died waits for a start that does not come; force ends that as well.
    for (const { id } of await host.engine.containers.list(host.scope, { all: true }))
      await host.engine.containers.remove(host.scope, id, { force: true });
    await host.engine.prune(host.scope);
    assert.deepEqual(traces(host), []);
    assert.equal((await host.run({ ...NONE, command: ["true"] })).code, 0);
  },
);

test("Containers: what tells of an end goes with the row, for one that vanishes", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  // Owned, so that its end does not remove it, and its record is in the run directory as that of --rm.
  const { id } = await containers.create(scope, { ...NONE, command: ["sh", "-c", "exit 3"], owned: true });
  for (let life = 0; life < 2; life++) {
    await containers.start(scope, id);
    assert.equal((await containers.wait(scope, id)).code, 3);
    // As a process finds it that looks after this one was killed.
    await using other = await host.another();
    const found = await other.containers.get(scope, id);
    assert.deepEqual([found.status, found.exit?.code], ["exited", 3]);
  }
  await containers.remove(scope, id);
  assert.deepEqual(traces(host), []);
});

test(
  "Containers: kill -9 of an attached client: the container lives, is listed, logged and stopped",
  opts,
  async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const { containers } = host.engine;
    const { scope } = host;
    const script = `
    import { Engine } from "@teu/engine/engine";
    import { createScope } from "@teu/base/scope";
    const scope = createScope();
    const engine = await Engine.open(scope, ${JSON.stringify(host.options)});
    const { id } = await engine.containers.create(scope, { image: "busybox", name: "lives", network: "none", command: ["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"] });
    const session = await engine.containers.start(scope, id, { attach: {} });
    for await (const { data } of session.output) process.stdout.write(data);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: new URL("../../packages/cli", import.meta.url).pathname,
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    assert.equal((await containers.get(scope, "lives")).status, "running");
    const count = async () => {
      let lines = 0;
      for await (const entry of containers.logs(scope, "lives")) assert.equal(entry.text, `${lines++}\n`);
      return lines;
    };
    const before = await count();
    await until(async () => (await count()) > before + 5);
    await containers.stop(scope, "lives", { timeoutSeconds: 0 });
    assert.equal((await containers.get(scope, "lives")).exit?.code, 137);
  },
);

test("Containers: pause stops the clock, resume goes on", opts, async () => {
  await using host = await EngineHost.open();
  await host.busybox();
  const { containers } = host.engine;
  const { scope } = host;
  const { id } = await containers.create(scope, {
    ...NONE,
    command: ["sh", "-c", "while :; do echo x; sleep 0.01; done"],
  });
  await assert.rejects(containers.pause(scope, id), { code: "conflict" });
  await containers.start(scope, id);
  await containers.pause(scope, id);
  assert.equal((await containers.get(scope, id)).status, "paused");
  await assert.rejects(containers.exec(scope, id, { command: ["true"] }), { code: "conflict" });
  await containers.resume(scope, id);
  assert.equal((await containers.get(scope, id)).status, "running");
  await containers.pause(scope, id);
  await containers.remove(scope, id, { force: true });
  assert.deepEqual(traces(host), []);
});

test("Containers: hostile image configs are refused at create or start, and leave nothing", opts, async () => {
  await using host = await EngineHost.open();
  const { containers } = host.engine;
  const { scope } = host;
  const cases = [
    { User: "nobody-here" },
    { User: "../../etc/passwd" },
    { User: "4294967295" },
    { User: "0:no-such-group" },
    { WorkingDir: "/etc/passwd" },
    { Volumes: { "../../up": {} } },
    { StopSignal: "SIGFOO" },
    { Entrypoint: ["/bin/sh\u0000"] },
  ];
  for (const config of cases) {
    await host.busybox("odd", config);
    const run = async () => {
      const { id } = await containers.create(scope, { image: "odd", network: "none", command: ["true"] });
      await containers.start(scope, id);
    };
    await assert.rejects(run(), { name: "TeuError" }, JSON.stringify(config));
    for (const { id } of await containers.list(scope, { all: true })) await containers.remove(scope, id);
    assert.deepEqual(traces(host), [], JSON.stringify(config));
  }
  // Odd, but harmless: it stays inside.
  await host.busybox("odd", {
    WorkingDir: "../../../tmp",
    Env: ["LD_PRELOAD=/x", "NO_EQUALS", "=v"],
    Labels: { "run.oci.handler": "krun" },
  });
  assert.equal((await host.run({ image: "odd", network: "none", command: ["pwd"] })).stdout, "/tmp\n");
});

async function execText(host: EngineHost, id: string, command: string[]): Promise<string> {
  await using session = await host.engine.containers.exec(host.scope, id, { command });
  return (await readAll(session)).stdout;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 200; round++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail("it did not become so");
}
