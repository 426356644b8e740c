// run, create, start, exec, logs, stop, kill, rm, wait, ps, inspect as people type them.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { CliHost, isAlive, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
before(async () => {
  if (skip === undefined) host = await CliHost.open();
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

const NONE = ["run", "--rm", "--network", "none"];

const RUNS: readonly {
  name: string;
  args: readonly string[];
  code?: number;
  stdout?: string | RegExp;
  stderr?: string | RegExp;
  input?: string;
}[] = [
  {
    name: "output on both streams",
    args: [...NONE, "base", "sh", "-c", "echo out; echo err >&2"],
    stdout: "out\n",
    stderr: "err\n",
  },
  { name: "the container's exit code", args: [...NONE, "base", "sh", "-c", "exit 42"], code: 42 },
  { name: "128 + signal", args: [...NONE, "base", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"], code: 137 },
  { name: "127 for a command that is not there", args: [...NONE, "base", "nope"], code: 127, stderr: /nope/ },
  {
    name: "126 for a command that cannot be executed",
    args: [...NONE, "base", "/etc/passwd"],
    code: 126,
    stderr: /^teu: /,
  },
  {
    name: "a program's flag that Node would take for its own",
    args: [...NONE, "base", "echo", "--env-file", "/nope"],
    stdout: "--env-file /nope\n",
  },
  {
    name: "125 for an env-file that is not there",
    args: [...NONE, "--env-file", "/nope", "base", "true"],
    code: 125,
    stderr: /^teu: .*\/nope/,
  },
  {
    name: "125 for a --mount whose source is not there",
    args: [...NONE, "--mount", "type=bind,source=/nope,target=/x", "base", "true"],
    code: 125,
    stderr:
      'teu: cannot mount "/nope": there is no such file or directory on this host\nhint: make it, or use -v, which makes a directory\n',
  },
  {
    name: "125 for a mount of an unknown type",
    args: [...NONE, "--mount", "type=foo", "base", "true"],
    code: 125,
    stderr: /the type "foo" is not supported/,
  },
  {
    name: "inspect of a name that neither a container nor an image has",
    args: ["inspect", "nope"],
    code: 1,
    stdout: "[]\n",
    stderr: /^teu: cannot inspect "nope": there is no container and no image of this name/,
  },
  {
    name: "ps: a filter that is not known",
    args: ["ps", "--filter", "foo=bar"],
    code: 125,
    stderr: 'teu: the filter "foo=bar" is not supported\nhint: use ancestor, exited, id, label, name or status\n',
  },
  {
    name: "prune without a terminal",
    args: ["system", "prune"],
    code: 1,
    stderr: /hint: with --force it does not ask/,
  },
  {
    name: "125 for an unknown flag",
    args: ["run", "--nmae", "x", "base"],
    code: 125,
    stderr: "teu: unknown flag --nmae\nhint: did you mean --name?\n",
  },
  {
    name: "125 for an unsupported flag",
    args: ["run", "--gpus", "all", "base"],
    code: 125,
    stderr: /the flag --gpus is not supported yet/,
  },
  {
    name: "125 for an image that is nowhere",
    args: ["run", "--pull", "never", "nope"],
    code: 125,
    stderr: /^teu: .*nope/,
  },
  { name: "stdin", args: [...NONE, "-i", "base", "cat"], input: "hello\n", stdout: "hello\n" },
  { name: "no stdin without -i", args: [...NONE, "base", "cat"], input: "hello\n", stdout: "" },
  {
    name: "environment, directory, user, host name",
    args: [
      ...NONE,
      "-eA=1",
      "-e",
      "B=2",
      "-w",
      "/tmp",
      "-u",
      "app",
      "-h",
      "box",
      "base",
      "sh",
      "-c",
      "echo $A$B $(pwd) $(id -u) $(hostname)",
    ],
    stdout: "12 /tmp 1000 box\n",
  },
  {
    name: "flags behind the image belong to the command",
    args: [...NONE, "base", "echo", "-n", "--rm"],
    stdout: "--rm",
  },
  { name: "entrypoint", args: [...NONE, "--entrypoint", "echo", "base", "x"], stdout: "x\n" },
  {
    name: "a memory limit",
    args: [
      ...NONE,
      "-m",
      "32m",
      "base",
      "sh",
      "-c",
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
    ],
    stdout: "33554432\n",
  },
  {
    name: "read-only with a tmpfs",
    args: [
      ...NONE,
      "--read-only",
      "--tmpfs",
      "/scratch",
      "base",
      "sh",
      "-c",
      "touch /x 2>/dev/null || touch /scratch/x && echo ok",
    ],
    stdout: "ok\n",
  },
];

for (const { name, args, code = 0, stdout, stderr, input } of RUNS) {
  test(`run: ${name}`, { skip }, async () => {
    const outcome = await host.teu(args, input === undefined ? {} : { input });
    assert.equal(outcome.code, code, outcome.stderr);
    if (typeof stdout === "string") assert.equal(outcome.stdout, stdout);
    else if (stdout !== undefined) assert.match(outcome.stdout, stdout);
    if (typeof stderr === "string") assert.equal(outcome.stderr, stderr);
    else if (stderr !== undefined) assert.match(outcome.stderr, stderr);
  });
}

test("run --rm: nothing is left, whatever came of it", { skip }, async () => {
  assert.equal(await host.ok(["ps", "-aq"]), "");
});

test("run: volumes, cidfile, env-file", { skip }, async () => {
  const data = join(host.directory, "data");
  mkdirSync(data);
  writeFileSync(join(host.directory, "vars"), "# comment\nFROM_FILE=yes\n");
  await host.ok([
    ...NONE,
    "-v",
    `${data}:/data`,
    "--env-file",
    join(host.directory, "vars"),
    "--cidfile",
    join(host.directory, "cid"),
    "base",
    "sh",
    "-c",
    "echo $FROM_FILE > /data/f",
  ]);
  assert.equal(readFileSync(join(data, "f"), "utf8"), "yes\n");
  assert.match(readFileSync(join(host.directory, "cid"), "utf8"), /^[0-9a-f]{64}$/);
  const again = await host.teu([...NONE, "--cidfile", join(host.directory, "cid"), "base", "true"]);
  assert.equal(again.code, 125);
  assert.equal(await host.ok(["ps", "-aq"]), "");
});

test("run: signals reach the container", { skip }, async () => {
  const { child, ended, says } = host.start([
    ...NONE,
    "base",
    "sh",
    "-c",
    "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.1; done",
  ]);
  await says("ready");
  child.kill("SIGTERM");
  const outcome = await ended;
  assert.deepEqual([outcome.code, outcome.stdout], [9, "ready\ngot\n"]);
});

test("a container's life: run -d, ps, exec, logs, inspect, top, rename, stop, start, wait, rm", { skip }, async () => {
  const id = await host.ok([
    "run",
    "-d",
    "--network",
    "none",
    "--name",
    "web",
    "-l",
    "a=b",
    "base",
    "sh",
    "-c",
    "echo started; trap 'exit 3' TERM; while :; do sleep 0.1; done",
  ]);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.match(
    await host.ok(["ps"]),
    new RegExp(
      `^CONTAINER ID   IMAGE   COMMAND +CREATED +STATUS +PORTS +NAMES\n${id.slice(0, 12)}   base .* Up .* web$`,
    ),
  );
  assert.equal(await host.ok(["ps", "--format", "{{.Names}} {{.State}}", "--filter", "label=a=b"]), "web running");
  assert.equal(await host.ok(["ps", "-q", "--filter", "name=other"]), "");
  assert.equal(await host.ok(["exec", "-e", "X=1", "web", "sh", "-c", "echo $X; exit 0"]), "1");
  assert.equal((await host.teu(["exec", "web", "sh", "-c", "exit 5"])).code, 5);
  assert.equal((await host.teu(["exec", "-i", "web", "cat"], { input: "in" })).stdout, "in");
  assert.equal(await host.ok(["logs", "web"]), "started");
  assert.match(await host.ok(["logs", "-t", "web"]), /^\d{4}-\d\d-\d\dT.*Z started$/);
  assert.equal(await host.ok(["inspect", "-f", "{{.State.Running}} {{.Config.Labels.a}}", "web"]), "true b");
  assert.match(await host.ok(["top", "web"]), /sleep|sh/);
  await host.ok(["rename", "web", "www"]);
  const conflict = await host.teu(["create", "--name", "www", "base"]);
  assert.equal(conflict.code, 125);
  assert.match(conflict.stderr, /^teu: cannot .*www/);
  const waiting = host.teu(["wait", "www"]);
  assert.equal(await host.ok(["stop", "-t", "5", "www"]), "www");
  assert.equal((await waiting).stdout, "3\n");
  assert.match(await host.ok(["ps", "-a", "--format", "{{.Status}}"]), /^Exited \(3\) /);
  await host.ok(["start", "www"]);
  assert.equal(await host.ok(["kill", "-s", "TERM", "www"]), "www");
  assert.equal(await host.ok(["wait", "www"]), "3");
  assert.equal(await host.ok(["rm", "www"]), "www");
  assert.equal((await host.teu(["rm", "www"])).code, 1);
  assert.equal((await host.teu(["rm", "-f", "www"])).code, 0);
});

test("create and start -a: output and exit code", { skip }, async () => {
  await host.ok(["create", "--network", "none", "--name", "job", "base", "sh", "-c", "echo done; exit 4"]);
  assert.match(await host.ok(["ps", "-a", "--filter", "name=job", "--format", "{{.Status}}"]), /^Created$/);
  const outcome = await host.teu(["start", "-a", "job"]);
  assert.deepEqual([outcome.code, outcome.stdout], [4, "done\n"]);
  await host.ok(["rm", "job"]);
});

test("kill -9 of the command line: the container lives on and obeys", { skip }, async () => {
  const { child, ended, says } = host.start([
    "run",
    "--network",
    "none",
    "--name",
    "orphan",
    "base",
    "sh",
    "-c",
    "echo ready; while :; do sleep 0.1; echo tick; done",
  ]);
  await says("ready");
  child.kill("SIGKILL");
  await ended;
  const pid = Number(await host.ok(["inspect", "-f", "{{.State.Pid}}", "orphan"]));
  assert.ok(isAlive(pid));
  assert.match(await host.ok(["ps", "--filter", "name=orphan"]), /Up .* orphan/);
  assert.match(await host.ok(["logs", "--tail", "1", "orphan"]), /^(tick|ready)$/);
  await host.ok(["stop", "-t", "0", "orphan"]);
  assert.equal(isAlive(pid), false);
  await host.ok(["rm", "orphan"]);
});

test("logs -f: until the container has ended", { skip }, async () => {
  await host.ok([
    "run",
    "-d",
    "--network",
    "none",
    "--name",
    "talk",
    "base",
    "sh",
    "-c",
    "for i in 1 2 3; do echo $i; sleep 0.2; done",
  ]);
  assert.equal(await host.ok(["logs", "-f", "talk"]), "1\n2\n3");
  await host.ok(["rm", "-f", "talk"]);
});

test("logs -f: Ctrl-C ends it, the container goes on", { skip }, async () => {
  await host.ok(["run", "-d", "--network", "none", "--name", "talk2", "base", "sh", "-c", "echo one; sleep 60"]);
  const { child, ended, says } = host.start(["logs", "-f", "talk2"]);
  await says("one");
  child.kill("SIGINT");
  assert.equal((await ended).code, 130);
  assert.equal(await host.ok(["ps", "-q", "--filter", "name=talk2"]).then((text) => text.length), 12);
  await host.ok(["rm", "-f", "talk2"]);
});

test("a reader that goes away is no crash", { skip }, async () => {
  const { child, ended } = host.start([...NONE, "base", "sh", "-c", "while :; do echo y; done"]);
  child.stdout?.once("data", () => child.stdout?.destroy());
  const outcome = await ended;
  assert.equal(outcome.stderr, "");
  assert.equal(outcome.code, 141);
  for (const id of (await host.ok(["ps", "-q"])).split("\n").filter((line) => line !== ""))
    await host.ok(["rm", "-f", id]);
});
